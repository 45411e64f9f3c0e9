"""Everything that one user has, removed: keys, runs and their data, adapters, saved weights."""

from __future__ import annotations

import asyncio
import shutil
from urllib.parse import quote

from twinkle_jupyter.runs.sweep_row import SweepRow
from twinkle_jupyter.service.clients.client_models import delete_client_adapter
from twinkle_jupyter.service.clients.sessions import Sessions
from twinkle_jupyter.service.compute_removal import remove_from_compute
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.runs import list_runs, steer_run
from twinkle_jupyter.service.share_rows import forget_shares
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import CheckpointLabel, KeyRow, RunRow
from twinkle_jupyter.store.shares import ShareRow

#: Kinds of rows whose keys go on with their owner.
_KINDS = (
    *("adapter", "sweep-name", "export", "sample", "quota/requests", "quota/tokens"),
    *("quota/adapters", "session", "open-session", "sampling-session", "saved-weights"),
    *("last-seen", "live-limits/user"),
    *("training-setup", "last-pass", "sampler-template", "client-adapter"),
    *("processor", "dataset-source"),
)
#: Of these kinds there is something as long as a user has anything.
_TELLING_KINDS = ("adapter", "session", "client-adapter", "saved-weights")


async def list_owners(store: StateStore, prefix: str) -> set[str]:
    """Return everybody who has something and whose name begins so."""
    rows = await store.list_rows(RunRow.key("")) + await store.list_rows(KeyRow.key(""))
    for kind in _TELLING_KINDS:
        rows += await store.list_rows(f"{kind}/{quote(prefix, safe='')}")
    owners = {str(row.get("owner", "")) for _, row in rows}
    return {owner for owner in owners if owner.startswith(prefix)}


async def remove_owner(parts: ServiceParts, owner: str) -> bool:
    """Remove what a user has; false where a run has to end first, and it is to be done again.

    May be cut short anywhere, and be done by several at once.

    Raises:
        ServiceUnavailableError: A trainer is away; it is to be done again.
    """
    store = parts.store
    await _remove_owned(store, KeyRow.key(""), owner)
    runs = await list_runs(store, owner)
    going = [run for run in runs if not run.is_over]
    for run in going:
        if run.wanted != "stopped":
            await steer_run(store, owner, run.run_id, "stop")
    if going:
        return False
    await _remove_client_adapters(parts, owner)
    for run in runs:
        await _remove_run(parts, run)
    await _remove_owned(store, SweepRow.key(""), owner)
    await _remove_owned(store, ShareRow.PREFIX, owner)
    for kind in _KINDS:
        for key, _ in await store.list_rows(f"{kind}/{quote(owner, safe='')}/"):
            await store.delete(key)
        await store.delete(f"{kind}/{quote(owner, safe='')}")
    return True


async def _remove_owned(store: StateStore, prefix: str, owner: str) -> None:
    for key, row in await store.list_rows(prefix):
        if row["owner"] == owner:
            await store.delete(key)


async def _remove_client_adapters(parts: ServiceParts, owner: str) -> None:
    """Remove what clients train; none of them is there any more."""
    sessions = Sessions(parts.store)
    for session in await sessions.of(owner):
        await sessions.finish(owner, session.session_id, "user removed")
    for _, found in await parts.store.list_rows(ClientAdapterRow.key(owner, "")):
        await delete_client_adapter(parts, ClientAdapterRow.from_row(found))


async def _remove_run(parts: ServiceParts, run: RunRow) -> None:
    await forget_shares(parts.store, run.owner, run.run_id)
    await asyncio.to_thread(shutil.rmtree, parts.config.run_folder(run.run_id), ignore_errors=True)
    log = RunRow.log(run.run_id)
    await parts.store.truncate(log, await parts.store.last_position(log))
    for key, _ in await parts.store.list_rows(CheckpointLabel.key(run.run_id, "")):
        await parts.store.delete(key)
    await remove_from_compute(parts, str(run.config["base_model"]), run.adapter_id)
    # The row last: what is cut short is found again.
    await parts.store.delete(RunRow.key(run.run_id))
