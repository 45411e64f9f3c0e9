"""Saved weights whose time is over: deleted for good, whether or not their owner looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

from twinkle_jupyter.service.share_rows import forget_share_of
from twinkle_jupyter.store.artifacts import delete_folder
from twinkle_jupyter.store.client_rows import SavedWeightsRow
from twinkle_jupyter.store.interface import StateStore


async def delete_expired(store: StateStore) -> int:
    """Delete every user's saved weights that have expired; return how many there were.

    Any number may do so at once: each is deleted by one of them, and never one that has been
    written again, or given more time, since it was looked at.
    """
    count = 0
    for key, stored in await store.list_rows(SavedWeightsRow.PREFIX):
        row = SavedWeightsRow.from_row(stored)
        # The row first: a crash in between leaves a folder that nobody can name.
        if row.has_expired and await store.replace(key, stored, stored, ttl_s=0.0):
            count += 1
            await forget_share_of(store, row)
            for folder in filter(None, (row.folder, row.replaces)):
                await asyncio.to_thread(delete_folder, Path(folder))
    return count
