"""A sweep as clients see it, put together of its row, its runs and their logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.runs.sweep_driver import find_best_run, standings_of
from twinkle_jupyter.runs.sweep_progress import SweepProgress
from twinkle_jupyter.runs.sweep_ranking import rank
from twinkle_jupyter.runs.sweep_row import MemberRow, SweepRow, read_member_runs
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.wire.sweeps import (
    Grid,
    SweepBody,
    SweepMemberBody,
    SweepState,
    SweepSummaryBody,
)


async def sweep_body(
    progress: SweepProgress, sweep: SweepRow, *, with_points: bool = False
) -> SweepBody:
    """Return a sweep; with its members' curves if asked for."""
    runs, folded = await progress.read(sweep)
    standings = standings_of(sweep, runs, folded)
    places = {run_id: place for place, run_id in enumerate(rank(standings), start=1)}
    by_id = {one.run_id: one for one in standings}
    members = []
    for one in sweep.members:
        if one.run_id not in runs:
            continue
        run, standing = runs[one.run_id], by_id[one.run_id]
        pruned_by = sweep.pruned.get(one.run_id, "")
        members.append(
            SweepMemberBody(
                run_id=one.run_id,
                adapter=one.adapter,
                settings=cast("dict[str, JsonValue]", dict(one.settings)),
                state=run.state,
                step=standing.step,
                total_steps=standing.total_steps,
                loss=standing.recent_loss,
                eval_loss=standing.eval_loss,
                seconds_per_step=folded[one.run_id].seconds_per_step(),
                rank=places[one.run_id],
                pruned_at=standing.step if pruned_by else None,
                pruned_by=pruned_by,
                points=folded[one.run_id].points() if with_points else [],
                eval_points=folded[one.run_id].eval_points() if with_points else [],
            )
        )
    best = sweep.best or find_best_run(runs, standings)
    return SweepBody(
        sweep_id=sweep.sweep_id,
        name=sweep.name,
        state=_state(sweep, runs),
        config=cast("dict[str, JsonValue]", dict(sweep.config)),
        grid=cast("Grid", dict(sweep.grid)),
        halving=sweep.halving,
        members=tuple(members),
        best=_adapter_of(sweep.members, best),
        created_at=sweep.created_at,
    )


async def summary_body(store: StateStore, sweep: SweepRow) -> SweepSummaryBody:
    """Return a sweep as a line of a list; reads no log."""
    runs = await read_member_runs(store, sweep)
    return SweepSummaryBody(
        sweep_id=sweep.sweep_id,
        name=sweep.name,
        state=_state(sweep, runs),
        num_members=len(sweep.members),
        num_active=sum(1 for run in runs.values() if not run.is_over),
        best=_adapter_of(sweep.members, sweep.best),
        created_at=sweep.created_at,
    )


def _state(sweep: SweepRow, runs: Mapping[str, RunRow]) -> SweepState:
    states = {run.state for run in runs.values()}
    if any(not run.is_over for run in runs.values()):
        return "queued" if states == {"queued"} else "running"
    if not sweep.is_over:
        return "running"  # its best member is being named
    if states <= {"failed"}:
        return "failed"
    return "stopped" if sweep.wanted == "stopped" else "finished"


def _adapter_of(members: Sequence[MemberRow], run_id: str) -> str:
    return next((one.adapter for one in members if one.run_id == run_id), "")
