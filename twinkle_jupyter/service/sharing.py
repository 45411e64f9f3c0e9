"""Giving others a checkpoint to read, taking it back, and what there is to read."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

from twinkle_jupyter.errors import ConflictError, InvalidConfigError, NotFoundError
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.client_models import find_client_adapter
from twinkle_jupyter.service.clients.readable_weights import weights_of
from twinkle_jupyter.service.clients.saved_weights import WeightsPath, find_saved, list_saved
from twinkle_jupyter.service.named_checkpoints import find_named_checkpoint
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.runs import find_run
from twinkle_jupyter.service.share_rows import end_share, share_of_saved, write_share
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import now
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
                await weights_of(parts, row)
            except NotFoundError:
                continue  # deleted, or expired
            found.append(row)
    return sorted(found, key=lambda row: row.shared_at, reverse=True)


async def _named(parts: ServiceParts, asker: Asker, name: str, step: int | None) -> ShareRow:
    if await find_client_adapter(parts, asker.owner, name) is not None:
        return await _newest_saved(parts, asker.owner, name, step)
    found = await find_named_checkpoint(parts, asker, name, step)
    if not found.run_id:
        return await _of_path(parts, asker.owner, WeightsPath.parse(name))
    run = await find_run(parts.store, asker.owner, found.run_id)
    return ShareRow(
        asker.owner,
        found.run_id,
        "weights",
        Checkpoints.name(found.step),
        run.adapter,
        found.base_model,
        found.rank,
        found.alpha,
        found.step,
        is_of_run=True,
    )


async def _newest_saved(
    parts: ServiceParts, owner: str, adapter_id: str, step: int | None
) -> ShareRow:
    """Return the newest that a client saved, or the newest of a step; not what it has put away."""
    saved = await list_saved(parts, owner, adapter_id)
    for one in saved:
        row = await asyncio.to_thread(share_of_saved, one.row)
        if step in (None, row.step):
            return row
    if saved:
        raise NotFoundError(f"Adapter {adapter_id!r} has no saved weights of step {step}.")
    raise ConflictError(
        f"Adapter {adapter_id!r} has no saved weights yet.",
        "Its client saves some with `save_state`.",
    )


async def _of_path(parts: ServiceParts, owner: str, path: WeightsPath) -> ShareRow:
    """Return what the user saved under a path, or shares already; nobody else's."""
    known = await parts.store.get(ShareRow.key(path.adapter_id, path.kind, path.name))
    share = None if known is None else ShareRow.from_row(known)
    if share is not None and share.owner == owner and share.is_of_run:
        return replace(share, shared_at=now())
    return await asyncio.to_thread(share_of_saved, await find_saved(parts, owner, path))


async def _all(store: StateStore) -> list[ShareRow]:
    return [ShareRow.from_row(row) for _, row in await store.list_rows(ShareRow.PREFIX)]
