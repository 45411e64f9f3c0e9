"""Sweeps as the service handles them: all members queued at once, found by name, cut and extended.

The members are ordinary runs. Who halves them and fixes the best is `runs/sweep_driver.py`; the
service writes what is wanted into the rows and wakes the drivers.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from twinkle_jupyter.datasets.records import fingerprint
from twinkle_jupyter.datasets.run_rows import check_rows
from twinkle_jupyter.errors import (
    NOTHING_STARTED,
    ConflictError,
    InvalidConfigError,
    NotFoundError,
)
from twinkle_jupyter.ids import new_sweep_id
from twinkle_jupyter.runs.sweep import EVAL_FRACTION, Around, Member, expand, widen
from twinkle_jupyter.runs.sweep_row import (
    MemberRow,
    SweepRow,
    change_sweep,
    get_sweep,
    read_member_runs,
)
from twinkle_jupyter.service.adapters import get_adapter_run
from twinkle_jupyter.service.base_model_names import check_name
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.runs import steer_run, write_records
from twinkle_jupyter.service.sweep_runs import (
    RECORDS,
    check_names,
    new_member_rows,
    prepare_runs,
    queue_runs,
)
from twinkle_jupyter.store.interface import JSON, Row, StateStore
from twinkle_jupyter.store.records import RUNS_LOG, RunRow
from twinkle_jupyter.wire.sweeps import StartSweepBody


@dataclass(frozen=True, slots=True)
class _Checked:
    """A sweep that can be trained."""

    config: Row
    grid: Mapping[str, Sequence[JSON]]
    members: tuple[Member, ...]
    lines: str
    fingerprint: str


async def start_sweep(
    parts: ServiceParts, owner: str, body: StartSweepBody
) -> tuple[SweepRow, bool]:
    """Queue all members; tell whether the sweep is new or was active with this very input.

    Raises:
        InvalidConfigError: Name, settings or grid are wrong; all mistakes are named.
        InvalidDataError: Records cannot be trained on.
        ConflictError: A sweep, or an adapter, of this name is there.
    """
    store = parts.store
    await check_name(parts, owner, body.config.get("base_model"))
    checked = await asyncio.to_thread(_check, parts, body)
    seen = await store.get(SweepRow.name_key(owner, body.name))
    before = None if seen is None else await get_sweep(store, str(seen["sweep_id"]))
    if before is not None and not before.is_over:
        return _same_or_conflict(before, checked), False
    if before is None and await get_adapter_run(store, owner, body.name) is not None:
        raise ConflictError(
            f"There is an adapter {body.name!r} already.",
            "A sweep's name stands for its best adapter: take another with --name.",
        )
    await check_names(store, owner, checked.members)
    sweep = SweepRow(
        sweep_id=new_sweep_id(),
        owner=owner,
        name=body.name,
        config=checked.config,
        grid=checked.grid,
        fingerprint=checked.fingerprint,
        members=new_member_rows(checked.members, wave=0),
        halving=body.halving,
    )
    first = parts.config.run_folder(sweep.members[0].run_id)
    await asyncio.to_thread(write_records, first, checked.lines)
    try:
        await _claim_name(store, seen, sweep)
    except ConflictError:
        await asyncio.to_thread(shutil.rmtree, first)
        raise
    runs = await prepare_runs(parts, sweep, sweep.members, checked.members, first / RECORDS)
    await store.put(SweepRow.key(sweep.sweep_id), sweep.to_row())
    await queue_runs(store, runs)
    await store.append(RUNS_LOG, {"sweep_id": sweep.sweep_id})
    return sweep, True


async def find_sweep(store: StateStore, owner: str, name: str) -> SweepRow:
    """Return a sweep by its id or its name.

    Raises:
        NotFoundError: This user has no such sweep.
    """
    sweep = await get_sweep(store, name)
    if sweep is None:
        seen = await store.get(SweepRow.name_key(owner, name))
        sweep = None if seen is None else await get_sweep(store, str(seen["sweep_id"]))
    if sweep is None or sweep.owner != owner:
        raise NotFoundError(f"There is no sweep {name!r}.", "`%twinkle sweeps` lists yours.")
    return sweep


async def list_sweeps(store: StateStore, owner: str) -> list[SweepRow]:
    """Return all sweeps of a user, newest first."""
    sweeps = [SweepRow.from_row(row) for _, row in await store.list_rows(SweepRow.key(""))]
    own = [sweep for sweep in sweeps if sweep.owner == owner]
    return sorted(own, key=lambda sweep: sweep.created_at, reverse=True)


async def prune_members(
    store: StateStore, owner: str, name: str, members: Sequence[str]
) -> SweepRow:
    """End these members before their next step; they keep their weights and their rank.

    Raises:
        NotFoundError: There is no such sweep, or one of them is not in it; all are named.
        ConflictError: They are over already.
    """
    sweep = await find_sweep(store, owner, name)
    found = {member: _find_member(sweep, member) for member in members}
    unknown = [repr(member) for member, one in found.items() if one is None]
    if unknown:
        raise NotFoundError(
            f"{' and '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not in sweep"
            f" {sweep.name!r}.",
            f"There are: {', '.join(one.adapter for one in sweep.members)}.",
        )
    runs = await read_member_runs(store, sweep)
    ids = [one.run_id for one in found.values() if one and not _is_over(runs, one)]
    if not ids:
        raise ConflictError(
            f"{' and '.join(map(repr, members))} cannot be pruned: nothing of it goes on."
        )
    sweep = await change_sweep(
        store,
        sweep.sweep_id,
        lambda row: replace(row, pruned={**dict.fromkeys(ids, "hand"), **row.pruned}),
    )
    await _stop(store, owner, ids)
    return sweep


async def stop_sweep(store: StateStore, owner: str, name: str) -> SweepRow:
    """End all members before their next step.

    Raises:
        NotFoundError: There is no such sweep.
        ConflictError: It is over.
    """
    sweep = await find_sweep(store, owner, name)
    runs = await read_member_runs(store, sweep)
    active = [one.run_id for one in sweep.members if not _is_over(runs, one)]
    if not active:
        raise ConflictError(f"Sweep {sweep.name!r} is over.", "`%twinkle sweep` starts a new one.")
    sweep = await change_sweep(store, sweep.sweep_id, lambda row: replace(row, wanted="stopped"))
    await _stop(store, owner, active)
    return sweep


async def extend_sweep(
    parts: ServiceParts, owner: str, name: str, grid: Mapping[str, Sequence[object]]
) -> SweepRow:
    """Add members with the same data; one that was over goes on with them.

    Raises:
        NotFoundError: There is no such sweep.
        InvalidConfigError: The grid is wrong, or adds what is there; all mistakes are named.
        ConflictError: An adapter of one of the names is being trained.
    """
    store = parts.store
    sweep = await find_sweep(store, owner, name)
    if not grid:
        raise InvalidConfigError("No setting is given to extend the sweep by.", NOTHING_STARTED)
    around = Around(taken=[one.adapter for one in sweep.members])
    members = expand(sweep.name, sweep.config, {**sweep.grid, **grid}, around)
    whole = widen(sweep.config, sweep.grid, grid)
    await check_names(store, owner, members)
    wave = 1 + max(one.wave for one in sweep.members)
    rows = new_member_rows(members, wave)
    records = parts.config.run_folder(sweep.members[0].run_id) / RECORDS
    runs = await prepare_runs(parts, sweep, rows, members, records)
    sweep = await change_sweep(
        store,
        sweep.sweep_id,
        lambda row: replace(
            row,
            members=(*row.members, *rows),
            grid=whole,
            wanted="running",
            is_over=False,
            best="",
        ),
    )
    await queue_runs(store, runs)
    await store.append(RUNS_LOG, {"sweep_id": sweep.sweep_id})
    return sweep


def _check(parts: ServiceParts, body: StartSweepBody) -> _Checked:
    config = {"eval_fraction": EVAL_FRACTION, **body.config}
    members = expand(body.name, config, body.grid)
    shared = members[0].config
    if body.halving is not None and shared.eval_fraction == 0:
        raise InvalidConfigError(
            "`halving` compares eval losses, and `eval_fraction=0` keeps no rows for them.",
            NOTHING_STARTED,
        )
    if body.halving is not None and "beta" in body.grid:
        raise InvalidConfigError(
            "`halving` compares eval losses, and with another `beta` the same answers have another"
            " loss.",
            NOTHING_STARTED,
        )
    parts.check_base_model(shared.base_model)
    clean = check_rows(body.records, shared.loss)
    grid = {
        setting: list(dict.fromkeys(member.settings[setting] for member in members))
        for setting in body.grid
    }
    asked = json.dumps([[one.config.model_dump(mode="json") for one in members], body.halving])
    digest = hashlib.sha256(f"{asked}\n{fingerprint(clean)}".encode()).hexdigest()
    lines = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in clean)
    common = shared.model_dump(mode="json", exclude={"adapter", *grid})
    return _Checked(cast("Row", common), grid, members, lines, digest)


def _same_or_conflict(active: SweepRow, checked: _Checked) -> SweepRow:
    if active.wanted != "stopped" and active.fingerprint == checked.fingerprint:
        return active
    raise ConflictError(
        f"A sweep {active.name!r} is under way with {len(active.members)} runs.",
        f"Watch it with `%twinkle show {active.name}`, end it with `%twinkle stop-sweep"
        f" {active.name}`, or take another name with --name.",
    )


async def _claim_name(store: StateStore, seen: Row | None, sweep: SweepRow) -> None:
    def change(row: Row | None) -> Row:
        if row != seen:
            raise ConflictError(
                f"Another request is starting a sweep {sweep.name!r} right now.",
                "Look at it with `%twinkle sweeps`.",
            )
        return {"sweep_id": sweep.sweep_id}

    await store.update(SweepRow.name_key(sweep.owner, sweep.name), change)


def _find_member(sweep: SweepRow, name: str) -> MemberRow | None:
    known = (name, f"{sweep.name}-{name}")
    found = (one for one in sweep.members if one.run_id == name or one.adapter in known)
    return next(found, None)


def _is_over(runs: Mapping[str, RunRow], member: MemberRow) -> bool:
    run = runs.get(member.run_id)
    return run is None or run.is_over


async def _stop(store: StateStore, owner: str, run_ids: Sequence[str]) -> None:
    for run_id in run_ids:
        try:
            await steer_run(store, owner, run_id, "stop")
        except ConflictError:
            continue  # it has come to its end by itself meanwhile
