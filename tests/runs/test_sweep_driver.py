"""A sweep of four on the true engine: halved at its rungs, and the same after an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from tests.runs.conftest import Workshop
from twinkle_jupyter.ids import RunId, SweepId
from twinkle_jupyter.runs.sweep_driver import SweepDriver
from twinkle_jupyter.runs.sweep_ranking import Cut
from twinkle_jupyter.runs.sweep_row import MemberRow, SweepRow, get_sweep
from twinkle_jupyter.store.interface import JSON, Row

#: With so small a rate next to nothing is learned.
_RATES = (1e-6, 2e-3, 1e-5, 1e-2)


async def _add_sweep(workshop: Workshop, halving: int | None = None) -> SweepRow:
    members = []
    for rate in _RATES:
        run_id = await workshop.add_run(
            learning_rate=rate, steps=32, eval_fraction=0.2, eval_every=4, warmup_steps=0
        )
        members.append(MemberRow(run_id, f"s-{rate}", {"learning_rate": rate}))
    grid: Mapping[str, Sequence[JSON]] = {"learning_rate": list(_RATES)}
    sweep = SweepRow(SweepId("sweep_a"), "ada", "s", {}, grid, "", tuple(members), halving=halving)
    await workshop.store.put(SweepRow.key(sweep.sweep_id), sweep.to_row())
    return sweep


async def _drive(workshop: Workshop, sweep: SweepRow) -> SweepRow:
    driving = [workshop.driver(member.run_id).drive() for member in sweep.members]
    await asyncio.gather(SweepDriver(workshop.store, sweep.sweep_id).drive(), *driving)
    done = await get_sweep(workshop.store, sweep.sweep_id)
    assert done is not None
    return done


async def test_all_members_train_and_the_lowest_eval_loss_is_the_best(workshop: Workshop) -> None:
    sweep = await _add_sweep(workshop)
    done = await _drive(workshop, sweep)

    assert (done.is_over, done.cuts, done.pruned) == (True, (), {})
    last = {}
    for member in sweep.members:
        assert [step for step, _ in await workshop.losses(member.run_id)] == list(range(1, 33))
        evals = await workshop.entries(member.run_id, "eval")
        last[member.run_id] = evals[-1]["loss"]
    assert done.best == min(last, key=lambda run_id: str(last[run_id]))


async def test_the_worse_half_ends_at_each_rung(workshop: Workshop) -> None:
    sweep = await _add_sweep(workshop, halving=2)
    done = await _drive(workshop, sweep)

    ids = [member.run_id for member in sweep.members]
    slow, good, slower, fast = ids[0], ids[1], ids[2], ids[3]
    assert done.cuts[0] == Cut(0, 0, (slow, slower)), "rung 8 of 32"
    assert [len(cut.stopped) for cut in done.cuts] == [2, 1], "rung 16 of 32"
    states = {run_id: (await workshop.row(run_id)).state for run_id in ids}
    assert (states[slow], states[slower]) == ("stopped", "stopped")
    assert {states[good], states[fast]} == {"stopped", "finished"}
    assert states[RunId(done.best)] == "finished"
    assert done.pruned == dict.fromkeys([*done.cuts[0].stopped, *done.cuts[1].stopped], "halving")
    for run_id in (slow, slower):
        assert len(await workshop.losses(run_id)) < 32
        assert (await workshop.row(run_id)).checkpoint, "what is stopped keeps its weights"


async def test_what_was_decided_before_a_crash_is_done_after_it(workshop: Workshop) -> None:
    sweep = await _add_sweep(workshop, halving=2)
    doomed = sweep.members[1].run_id
    decided: Row = {**sweep.to_row(), "pruned": {doomed: "halving"}}
    await workshop.store.put(SweepRow.key(sweep.sweep_id), decided)

    driving = asyncio.create_task(SweepDriver(workshop.store, sweep.sweep_id).drive())
    await asyncio.wait([driving], timeout=0.05)
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    assert (await workshop.row(doomed)).wanted == "stopped"
    done = await _drive(workshop, sweep)
    assert (await workshop.row(doomed)).step == 0
    assert all(doomed not in cut.stopped for cut in done.cuts), "who is out is not compared"
    assert done.best != doomed
