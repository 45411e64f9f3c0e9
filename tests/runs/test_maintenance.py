"""Runs while the service rests: they come to a checkpoint and go on if their users want that."""

from __future__ import annotations

import asyncio

import pytest

from tests.runs.conftest import Workshop
from twinkle_jupyter.service.admin_notices import drain, read_drain, undrain
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.wire.admin import DrainBody


async def test_runs_rest_at_a_checkpoint_and_only_those_that_ran_go_on(workshop: Workshop) -> None:
    store = workshop.store
    unbroken = await workshop.add_run(steps=12)
    await workshop.driver(unbroken).drive()
    going, paused = await workshop.add_run(steps=12), await workshop.add_run(steps=12)
    driving = [asyncio.create_task(workshop.driver(one).drive()) for one in (going, paused)]
    for one in (going, paused):
        await workshop.wait_for(one, "step", step=3)
    await workshop.want(paused, "paused")
    await workshop.wait_for(paused, "state", state="paused")

    await drain(store, "root", DrainBody(message="New disks."))
    await workshop.wait_for(going, "state", state="paused", reason="New disks.")
    at_rest = await workshop.row(going)
    state = await read_drain(store)
    # Whoever resumes or pauses meanwhile is heard afterwards.
    await workshop.want(paused, "running")
    await workshop.want(paused, "paused")
    later = await workshop.add_run(steps=2)
    driving.append(asyncio.create_task(workshop.driver(later).drive()))
    await workshop.wait_for(later, "state", state="paused", reason="New disks.")

    assert at_rest.checkpoint == f"step-{at_rest.step:06d}"
    assert (state.num_running, state.num_held) == (0, 1)
    assert at_rest.wanted == "running", "what its user wants is untouched"
    # Another service of this store goes on with it: nothing was in memory.
    for task in driving:
        task.cancel()
    await asyncio.gather(*driving, return_exceptions=True)
    driving = [asyncio.create_task(workshop.driver(one).drive()) for one in (going, paused, later)]
    await asyncio.sleep(0.3)
    assert (await workshop.row(going)).step == at_rest.step

    await undrain(store, "root")
    await asyncio.wait_for(asyncio.gather(driving[0], driving[2]), 60)
    assert (await workshop.row(paused)).state == "paused"
    told, expected = await workshop.losses(going), await workshop.losses(unbroken)
    # Other rows were in its micro-batches: the last bits differ.
    assert [loss for _, loss in told] == pytest.approx([loss for _, loss in expected], rel=1e-5)
    assert [step for step, _ in told] == list(range(1, 13))
    driving[1].cancel()
    assert [RunRow.from_row(row).state for _, row in await store.list_rows("run/")].count(
        "finished"
    ) == 3
