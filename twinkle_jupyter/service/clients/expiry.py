"""Saved weights whose time is over: deleted for good, whether or not their owner looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

from twinkle_jupyter.service.share_rows import forget_share_of
from twinkle_jupyter.store.artifacts import delete_folder
from twinkle_jupyter.store.client_rows import SavedWeightsRow
from twinkle_jupyter.store.interface import Row, StateStore


async def delete_expired(store: StateStore) -> int:
    """Delete every user's saved weights that have expired; return how many there were."""
    count = 0
    for key, stored in await store.list_rows(SavedWeightsRow.PREFIX):
        if SavedWeightsRow.from_row(stored).has_expired:
            count += await delete_unchanged(store, key, stored)
    return count


async def delete_unchanged(store: StateStore, key: str, stored: Row) -> bool:
    """Delete saved weights as they were looked at; tell whether they were there.

    Any number may do so at once: one of them does, and never to weights that have been written
    again, or given more time, since.
    """
    # The row first: a crash in between leaves a folder that nobody can name.
    if not await store.replace(key, stored, stored, ttl_s=0.0):
        return False
    row = SavedWeightsRow.from_row(stored)
    await forget_share_of(store, row)
    for folder in filter(None, (row.folder, row.replaces)):
        await asyncio.to_thread(delete_folder, Path(folder))
    return True
