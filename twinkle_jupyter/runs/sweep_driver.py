"""Looks after one sweep: halves it, ends who was pruned, and fixes the best when all are over.

The members are driven like any other run. Everything that is decided is in the sweep's row before
it is done, so that another driver goes on with it after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from twinkle_jupyter.runs.row_of_run import RowOfRun
from twinkle_jupyter.runs.sweep_progress import MemberProgress, SweepProgress
from twinkle_jupyter.runs.sweep_ranking import Standing, next_cut, rank
from twinkle_jupyter.runs.sweep_row import SweepRow, change_sweep, get_sweep
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import RUNS_LOG, RunRow

#: A member may end without the one that is waited for telling anything.
_LOOK_AGAIN_S = 1.0


class SweepDriver:
    """One sweep, from whatever state it is in to its end."""

    def __init__(self, store: StateStore, sweep_id: str) -> None:
        self._store = store
        self._sweep_id = sweep_id
        self._progress = SweepProgress(store)

    async def drive(self) -> None:
        """Look after the sweep until it is over."""
        while True:
            sweep = await get_sweep(self._store, self._sweep_id)
            if sweep is None or sweep.is_over:
                return
            runs, progress = await self._progress.read(sweep)
            standings = standings_of(sweep, runs, progress)
            sweep = await self._halve(sweep, standings)
            await self._end_pruned(sweep, runs)
            active = [one for one in standings if not runs[one.run_id].is_over]
            if not active:
                await self._fix_best(sweep, runs, standings)
                continue  # unless it has been extended meanwhile
            # Who is to end tells nothing more for a while, and nobody is compared with it.
            going_on = [one for one in active if one.run_id not in sweep.pruned] or active
            last = min(going_on, key=lambda one: one.step).run_id
            await self._store.wait(RunRow.log(last), progress[last].position, _LOOK_AGAIN_S)

    async def _halve(self, sweep: SweepRow, standings: list[Standing]) -> SweepRow:
        """Make every cut that can be made now."""
        while sweep.halving is not None:
            cut = next_cut(standings, sweep.halving, sweep.cuts)
            if cut is None:
                break
            sweep = await change_sweep(
                self._store,
                self._sweep_id,
                lambda row, cut=cut: replace(  # type: ignore[misc]
                    row,
                    cuts=(*row.cuts, cut),
                    pruned={**dict.fromkeys(cut.stopped, "halving"), **row.pruned},
                ),
            )
        return sweep

    async def _end_pruned(self, sweep: SweepRow, runs: Mapping[str, RunRow]) -> None:
        for run_id, run in runs.items():
            is_to_end = run_id in sweep.pruned or sweep.wanted == "stopped"
            if is_to_end and not run.is_over and run.wanted != "stopped":
                await RowOfRun(self._store, run.run_id).change(wanted="stopped")
                await self._store.append(RUNS_LOG, {"run_id": run_id, "command": "stop"})

    async def _fix_best(
        self, sweep: SweepRow, runs: Mapping[str, RunRow], standings: list[Standing]
    ) -> None:
        best = find_best_run(runs, standings)

        def change(row: SweepRow) -> SweepRow:
            if row.members != sweep.members:
                return row
            return replace(row, is_over=True, best=best)

        await change_sweep(self._store, self._sweep_id, change)


def standings_of(
    sweep: SweepRow, runs: Mapping[str, RunRow], progress: Mapping[str, MemberProgress]
) -> list[Standing]:
    """Return how far each member is that has a run, in the sweep's order."""
    return [
        progress[one.run_id].standing(runs[one.run_id], one.wave)
        for one in sweep.members
        if one.run_id in runs
    ]


def find_best_run(runs: Mapping[str, RunRow], standings: list[Standing]) -> str:
    """Return the best member that left weights; empty if none did."""
    ranked = (runs[run_id] for run_id in rank(standings))
    return next((run.run_id for run in ranked if run.checkpoint and run.state != "failed"), "")
