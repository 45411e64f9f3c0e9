"""A run from its row to its end, over the true engine in one process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from tests.runs.conftest import Workshop
from twinkle_jupyter.errors import RunFailedError, ServiceUnavailableError
from twinkle_jupyter.runtime.handles import TrainerHandle
from twinkle_jupyter.scheduling.request import OptimStep, OptimStepResult


async def test_a_run_tells_each_step_once_and_learns(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=30, checkpoint_every=10, learning_rate=0.01)

    await workshop.driver(run_id).drive()

    row = await workshop.row(run_id)
    losses = await workshop.losses(run_id)
    assert [step for step, _ in losses] == list(range(1, 31))
    assert losses[-1][1] < 0.8 * losses[0][1]
    assert (row.state, row.step, row.total_steps, row.loss, row.checkpoint) == (
        "finished", 30, 30, losses[-1][1], "step-000030",
    )  # fmt: skip
    assert [e["state"] for e in await workshop.entries(run_id, "state")] == ["running", "finished"]
    checkpoints = [e["name"] for e in await workshop.entries(run_id, "checkpoint")]
    assert checkpoints == ["step-000010", "step-000020", "step-000030"]


async def test_probes_are_answered_from_the_base_and_at_the_last_step(workshop: Workshop) -> None:
    run_id = await workshop.add_run(
        steps=7, probe=["Who are you?", "What is 3 and 3?"], probe_every=3, probe_tokens=6
    )

    await workshop.driver(run_id).drive()

    answered = [(e["step"], e["index"]) for e in await workshop.entries(run_id, "probe")]
    assert answered[:2] == [(0, 0), (0, 1)]
    assert answered[-2:] == [(7, 0), (7, 1)]
    assert len(answered) == len(set(answered))


async def test_eval_rows_are_kept_from_training(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=4, eval_fraction=0.25, eval_every=2)

    await workshop.driver(run_id).drive()

    (planned,) = await workshop.entries(run_id, "planned")
    assert (planned["num_train_rows"], planned["num_eval_rows"]) == (9, 3)
    assert [e["step"] for e in await workshop.entries(run_id, "eval")] == [2, 4]


async def test_a_paused_run_takes_no_step_and_goes_on_where_it_was(workshop: Workshop) -> None:
    unbroken = await workshop.add_run(steps=12)
    await workshop.driver(unbroken).drive()
    run_id = await workshop.add_run(steps=12)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "step", step=3)

    await workshop.want(run_id, "paused")
    await workshop.wait_for(run_id, "state", state="paused")
    held = await workshop.losses(run_id)
    await workshop.want(run_id, "running")
    await driving

    assert len(held) < 12
    assert await workshop.losses(run_id) == await workshop.losses(unbroken)
    commands = [e["command"] for e in await workshop.entries(run_id, "command")]
    assert commands == ["pause", "resume"]


async def test_a_stopped_run_keeps_its_last_checkpoint(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=500)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "step", step=2)

    await workshop.want(run_id, "stopped")
    await driving

    row = await workshop.row(run_id)
    assert row.state == "stopped"
    assert row.checkpoint == f"step-{row.step:06d}"


async def test_a_run_stopped_while_nobody_drives_it_keeps_its_newest_step(
    workshop: Workshop,
) -> None:
    run_id = await workshop.add_run(steps=500, checkpoint_every=400)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "step", step=7)
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    await workshop.want(run_id, "stopped")

    await workshop.driver(run_id).drive()

    row = await workshop.row(run_id)
    assert (row.state, row.checkpoint) == ("stopped", f"step-{row.step:06d}")
    assert row.step >= 7


async def test_a_run_stopped_before_its_first_step_is_over_without_one(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=5)
    await workshop.want(run_id, "stopped")

    await workshop.driver(run_id).drive()

    assert (await workshop.row(run_id)).state == "stopped"
    assert await workshop.losses(run_id) == []


async def test_a_driver_that_leaves_is_followed_by_one_that_goes_on(workshop: Workshop) -> None:
    unbroken = await workshop.add_run(steps=12)
    await workshop.driver(unbroken).drive()
    run_id = await workshop.add_run(steps=12)
    first = workshop.driver(run_id)
    driving = asyncio.create_task(first.drive())
    await workshop.wait_for(run_id, "step", step=4)

    first.leave()
    await driving
    assert (await workshop.row(run_id)).state == "interrupted"
    await workshop.driver(run_id).drive()

    assert await workshop.losses(run_id) == await workshop.losses(unbroken)


async def test_a_driver_that_dies_is_followed_by_one_that_repeats_without_telling_twice(
    workshop: Workshop,
) -> None:
    unbroken = await workshop.add_run(steps=12, checkpoint_every=5)
    await workshop.driver(unbroken).drive()
    run_id = await workshop.add_run(steps=12, checkpoint_every=5)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "step", step=8)
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)

    await workshop.driver(run_id).drive()

    assert await workshop.losses(run_id) == await workshop.losses(unbroken)
    states = [e["state"] for e in await workshop.entries(run_id, "state")]
    assert states == ["running", "interrupted", "running", "finished"]


class FailingTrainer:
    """The true trainer, away once at one step: what a killed process looks like from here."""

    def __init__(self, trainer: TrainerHandle, step: int) -> None:
        self._trainer = trainer
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    async def optim_step(self, op: OptimStep) -> OptimStepResult:
        result = await self._trainer.optim_step(op)
        if result.step == self._step:
            self._step = 0
            raise ServiceUnavailableError("The process of the trainer ended.")
        return result


async def test_a_lost_trainer_interrupts_the_run_and_no_step_is_told_twice(
    workshop: Workshop,
) -> None:
    unbroken = await workshop.add_run(steps=9, checkpoint_every=4)
    await workshop.driver(unbroken).drive()
    run_id = await workshop.add_run(steps=9, checkpoint_every=4)
    loaded = workshop.provider.loaded
    workshop.provider.loaded = replace(loaded, trainer=FailingTrainer(loaded.trainer, step=6))

    await workshop.driver(run_id).drive()

    assert await workshop.losses(run_id) == await workshop.losses(unbroken)
    states = [(e["state"], e["reason"]) for e in await workshop.entries(run_id, "state")]
    assert states[1] == ("interrupted", "The process of the trainer ended.")
    assert states[-1] == ("finished", "")


class SpoiltTrainer(FailingTrainer):
    """The true trainer, whose numbers are no longer numbers at one step."""

    async def optim_step(self, op: OptimStep) -> OptimStepResult:
        result = await self._trainer.optim_step(op)
        if result.step == self._step:
            raise RunFailedError("The loss is not a number.")
        return result


async def test_a_run_that_fails_gives_its_slot_back(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=9)
    loaded = workshop.provider.loaded
    workshop.provider.loaded = replace(loaded, trainer=SpoiltTrainer(loaded.trainer, step=3))

    await workshop.driver(run_id).drive()

    row = await workshop.row(run_id)
    assert (row.state, row.reason, row.step) == ("failed", "The loss is not a number.", 2)
    assert (await loaded.trainer.status()).num_adapters == 0


async def test_rows_that_teach_nothing_fail_the_run_before_its_first_step(
    workshop: Workshop,
) -> None:
    run_id = await workshop.add_run(steps=5, max_length=8)

    await workshop.driver(run_id).drive()

    row = await workshop.row(run_id)
    assert row.state == "failed"
    assert "row 1" in row.reason
    assert await workshop.losses(run_id) == []


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
async def test_the_learning_rate_rises_and_then_follows_its_schedule(
    workshop: Workshop, schedule: str
) -> None:
    run_id = await workshop.add_run(steps=6, warmup_steps=2, schedule=schedule, learning_rate=0.003)

    await workshop.driver(run_id).drive()

    rates = [cast("float", e["learning_rate"]) for e in await workshop.entries(run_id, "step")]
    assert rates[:3] == pytest.approx([0.001, 0.002, 0.003])
    assert all(0 < rate <= 0.003 for rate in rates)
    assert (rates[-1] == pytest.approx(0.003)) == (schedule == "constant")
