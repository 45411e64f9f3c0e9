"""Letting everyone read what a client saved, as the Tinker protocol has it, and taking it back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from twinkle_jupyter.service.clients.saved_weights import WeightsPath, find_saved
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.share_rows import end_share, share_of_saved, write_share
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.shares import ShareRow


async def publish(parts: ServiceParts, owner: str, path: WeightsPath) -> None:
    """Let everyone read it; raises NotFoundError where this user has saved none there."""
    saved = await find_saved(parts, owner, path)
    row = await _get(parts.store, owner, path)
    if row is None or row.folder != saved.folder:
        row = await asyncio.to_thread(share_of_saved, saved)
    await write_share(parts.store, owner, replace(row, is_public=True))


async def unpublish(parts: ServiceParts, owner: str, path: WeightsPath) -> None:
    """Let groups alone read it, if any; raises NotFoundError where this user has none there."""
    saved = await find_saved(parts, owner, path)
    known = await _get(parts.store, owner, path)
    if known is None or not known.is_public:
        return
    if known.groups and known.folder == saved.folder:
        await write_share(parts.store, owner, replace(known, is_public=False))
    else:
        await end_share(parts.store, owner, known)


async def _get(store: StateStore, owner: str, path: WeightsPath) -> ShareRow | None:
    row = await store.get(ShareRow.key(path.adapter_id, path.kind, path.name))
    share = None if row is None else ShareRow.from_row(row)
    return share if share is not None and share.owner == owner else None
