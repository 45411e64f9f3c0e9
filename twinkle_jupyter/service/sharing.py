"""Giving others a checkpoint to read, taking it back, and what there is to read."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

from twinkle_jupyter.errors import InvalidConfigError, NotFoundError
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.readable_weights import weights_of
from twinkle_jupyter.service.clients.saved_weights import list_saved
from twinkle_jupyter.service.named_checkpoints import find_named_checkpoint
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.share_rows import end_share, share_of_saved, write_share
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.shares import ShareRow


async def share(
    parts: ServiceParts,
    asker: Asker,
    name: str,
    step: int | None,
    *,
    groups: Collection[str],
    everyone: bool,
) -> ShareRow:
    """Let others read an adapter's checkpoint, and nobody else than said here.

    Raises:
        NotFoundError: This user has no such adapter, or no checkpoint of that step.
        ConflictError: It has none yet.
        InvalidConfigError: Nobody was named, or a group that the user is not in.
    """
    strange = sorted(set(groups) - asker.groups)
    if strange and not asker.is_admin:
        yours = ", ".join(sorted(asker.groups)) or "none"
        raise InvalidConfigError(
            f"You are not in group {strange[0]!r}.", f"Your groups: {yours}. Nothing was shared."
        )
    if not groups and not everyone:
        raise InvalidConfigError("Nobody was named to share it with.", "A group, or everyone.")
    row = await _named(parts, asker, name, step)
    row = replace(row, groups=sorted(set(groups)), is_public=everyone)
    return await write_share(parts.store, asker.owner, row)


async def unshare(parts: ServiceParts, asker: Asker, what: str) -> list[ShareRow]:
    """Take back a path, or all of an adapter; admins may anybody's path.

    Raises:
        NotFoundError: This user shares nothing under that name.
    """
    rows = [row for row in await _all(parts.store) if what in (row.path, row.adapter)]
    own = [row for row in rows if row.owner == asker.owner]
    if not own and asker.is_admin:
        own = [row for row in rows if row.path == what]
    for row in own:
        await end_share(parts.store, asker.owner, row)
    if not own:
        raise NotFoundError(
            f"You share nothing named {what!r}.", "`%twinkle adapters --shared` lists what you do."
        )
    return own


async def list_readable(parts: ServiceParts, asker: Asker) -> list[ShareRow]:
    """Return what this user may read, newest first; their own, too."""
    found = []
    for row in await _all(parts.store):
        if row.is_readable(asker.owner, asker.groups):
            try:
                found.append((await weights_of(parts, row))[0])
            except NotFoundError:
                continue  # deleted, or expired
    return sorted(found, key=lambda row: row.shared_at, reverse=True)


async def _named(parts: ServiceParts, asker: Asker, name: str, step: int | None) -> ShareRow:
    found = await find_named_checkpoint(parts, asker, name, step)
    if found.run_id:
        return ShareRow(
            asker.owner,
            found.run_id,
            "weights",
            Checkpoints.name(found.step),
            found.adapter,
            found.base_model,
            found.rank,
            found.alpha,
            found.step,
            is_of_run=True,
        )
    for saved in await list_saved(parts, asker.owner, name):
        if saved.row.folder == str(found.folder):
            return await asyncio.to_thread(share_of_saved, saved.row)
    raise NotFoundError(
        f"Adapter {name!r} has no saved weights.", "Its client saves some with `save_state`."
    )


async def _all(store: StateStore) -> list[ShareRow]:
    return [ShareRow.from_row(row) for _, row in await store.list_rows(ShareRow.PREFIX)]
