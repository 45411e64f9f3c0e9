"""Adapters by name: which run a name stands for, and that only one run trains under it at a time.

A name's row is changed by compare-and-swap, so that two requests at once, in whichever process,
cannot both have it.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import asdict
from typing import cast

from twinkle_jupyter.errors import ConflictError, NotFoundError
from twinkle_jupyter.runs.sweep_row import SweepRow, get_sweep
from twinkle_jupyter.service.adapter_row import AdapterRow
from twinkle_jupyter.service.compute_removal import remove_from_compute
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.share_rows import forget_shares
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import RunRow

_MAX_TRIES = 5


class _ChangedError(Exception):
    """Somebody else was faster."""


async def get_adapter_run(store: StateStore, owner: str, name: str) -> RunRow | None:
    """Return the newest run of an adapter; None when there is no such adapter.

    The name of a sweep that is over stands for its best member.
    """
    row = await store.get(AdapterRow.key(owner, name))
    if row is not None:
        return await _get_run(store, AdapterRow.from_row(row).run_id)
    named = await store.get(SweepRow.name_key(owner, name))
    sweep = None if named is None else await get_sweep(store, str(named["sweep_id"]))
    return None if sweep is None else await _get_run(store, sweep.best)


async def list_adapter_runs(store: StateStore, owner: str) -> list[RunRow]:
    """Return the newest run of each adapter, by name."""
    rows = await store.list_rows(AdapterRow.key(owner, ""))
    runs = [await _get_run(store, AdapterRow.from_row(row).run_id) for _, row in rows]
    return [run for run in runs if run is not None]


async def claim_adapter(store: StateStore, owner: str, name: str, run_id: str) -> RunRow | None:
    """Make the name stand for a new run, whose row is written next.

    Returns:
        None when the name is now the new run's; else the run that is active under it.

    Raises:
        ConflictError: Another request is starting a run under this name at this moment.
    """
    for _ in range(_MAX_TRIES):
        seen = await store.get(AdapterRow.key(owner, name))
        if seen is not None:
            adapter = AdapterRow.from_row(seen)
            run = await _get_run(store, adapter.run_id)
            if run is not None and not run.is_over:
                return run
            if run is None and adapter.run_id and adapter.is_young:
                break
        if await _swap(store, seen, AdapterRow(owner, name, run_id)):
            return None
    raise ConflictError(
        f"Another request is starting a run of adapter {name!r} right now.",
        "Look at it with `%twinkle runs`.",
    )


async def delete_adapter(parts: ServiceParts, owner: str, name: str) -> None:
    """Forget the adapter and delete its weights; the runs keep their curves.

    Raises:
        NotFoundError: There is no such adapter.
        ConflictError: It is being trained.
        ServiceUnavailableError: The trainer is away; doing it again deletes what is left.
    """
    store = parts.store
    seen = await store.get(AdapterRow.key(owner, name))
    if seen is None or not AdapterRow.from_row(seen).run_id:
        raise NotFoundError(f"There is no adapter {name!r}.", "`%twinkle adapters` lists yours.")
    run = await _get_run(store, AdapterRow.from_row(seen).run_id)
    if run is not None and not run.is_over:
        raise ConflictError(
            f"Adapter {name!r} is being trained by run {run.run_id}.",
            f"End that first with `%twinkle stop-run {name}`.",
        )
    rows = [RunRow.from_row(row) for _, row in await store.list_rows(RunRow.key(""))]
    runs = [one for one in rows if (one.owner, one.adapter) == (owner, name) and one.is_over]
    for one in runs:  # before anything can fail
        await forget_shares(store, owner, one.run_id)
    for one in runs:
        await _delete_weights(parts, one)
    for one in runs:
        await remove_from_compute(parts, str(one.config["base_model"]), one.adapter_id)
    # The name last: what is cut short is found again.
    if not await _swap(store, seen, AdapterRow(owner, name, run_id="")):
        raise ConflictError(
            f"A new run of adapter {name!r} has just been started.",
            "The weights of those before it are deleted.",
        )


async def _delete_weights(parts: ServiceParts, run: RunRow) -> None:
    def forget(row: Row | None) -> Row:
        if row is None:
            raise NotFoundError(f"Run {run.run_id} is gone.")
        return RunRow.from_row(row).changed(checkpoint="").to_row()

    await parts.store.update(RunRow.key(run.run_id), forget)
    folder = parts.config.run_folder(run.run_id) / "checkpoints"
    if folder.exists():
        await asyncio.to_thread(shutil.rmtree, folder)


async def _get_run(store: StateStore, run_id: str) -> RunRow | None:
    row = await store.get(RunRow.key(run_id)) if run_id else None
    return None if row is None else RunRow.from_row(row)


async def _swap(store: StateStore, seen: Row | None, new: AdapterRow) -> bool:
    def change(row: Row | None) -> Row:
        if row != seen:
            raise _ChangedError
        return cast("Row", asdict(new))

    try:
        await store.update(AdapterRow.key(new.owner, new.name), change)
    except _ChangedError:
        return False
    return True
