"""Settings that change while a run goes on: from which step, and the same whoever drives it."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runs.conftest import Workshop
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.ids import RunId
from twinkle_jupyter.runs.driver import RunDriver
from twinkle_jupyter.runs.steering import Steering
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.sqlite import SqliteStore

_WISHES: tuple[Row, ...] = (
    {"at_step": 4, "learning_rate": 5e-3, "schedule": "cosine"},
    {"at_step": 7, "batch_size": 3},
    {"at_step": 9, "batch_size": 5, "weight_decay": 0.1, "steps": 16},
)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    lengths=st.lists(st.integers(1, 6), min_size=4, max_size=4),
)
def test_no_row_is_left_out_or_repeated_when_the_batch_changes(
    sizes: list[int], lengths: list[int]
) -> None:
    steering = Steering(RunConfig(batch_size=2, steps=100), num_rows=7)
    step, places = 1, list[int]()
    for size, length in zip(sizes, lengths, strict=False):
        for _ in range(length):
            places += steering.rows_at(step)
            step += 1
        steering.take([{"at_step": step}] * 0, step)
        steering.replay(
            [{"wish": step, "step": step, "changes": {"batch_size": size}, "refusal": ""}]
        )
    places += steering.rows_at(step)
    assert places == list(range(len(places)))


def test_epochs_are_counted_in_rows() -> None:
    steering = Steering(RunConfig(batch_size=4, epochs=3), num_rows=20)
    assert steering.total_steps == 15
    [event] = steering.take([{"batch_size": 10}], step=6)
    # Twenty rows are done, forty to go.
    assert (event.step, event.total_steps, steering.total_steps) == (6, 9, 9)
    [event] = steering.take([{}, {"steps": 3}], step=8)
    assert event.total_steps == 7, "what was done cannot be undone: it ends here"


def test_a_change_of_what_is_fixed_is_refused_and_changes_nothing() -> None:
    steering = Steering(RunConfig(steps=10), num_rows=8)
    [event] = steering.take([{"rank": 4}], step=3)
    assert "`rank` cannot change while a run goes on" in event.refusal
    assert (steering.config, steering.total_steps) == (RunConfig(steps=10), 10)


async def test_a_steered_run_is_the_same_wherever_it_was_interrupted(workshop: Workshop) -> None:
    settings: dict[str, Any] = {
        "steps": 12,
        "checkpoint_every": 5,
        "eval_fraction": 0.2,
        "eval_every": 4,
    }
    unbroken = await workshop.add_run(_WISHES, **settings)
    await workshop.driver(unbroken).drive()
    losses = await workshop.losses(unbroken)
    assert len(losses) == 16

    run_id = await workshop.add_run(_WISHES, **settings)
    await _drive_in_pieces(workshop, run_id, seed=3)

    assert await workshop.losses(run_id) == losses
    for kind in ("steered", "eval"):
        told = [_without_time(e) for e in await workshop.entries(run_id, kind)]
        assert told == [_without_time(e) for e in await workshop.entries(unbroken, kind)]


async def _drive_in_pieces(workshop: Workshop, run_id: RunId, seed: int) -> None:
    """Drive a run to its end with drivers that are ended at random, one after another."""
    random = Random(seed)  # noqa: S311 - no secret
    while (await workshop.row(run_id)).state != "finished":
        driving = asyncio.create_task(workshop.driver(run_id).drive())
        await asyncio.wait([driving], timeout=random.uniform(0.01, 0.15))
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)


def _without_time(entry: Row) -> Row:
    return {name: value for name, value in entry.items() if name != "at"}


async def test_a_wish_is_in_effect_within_a_step(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=400, warmup_steps=0)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "step", step=5)
    await workshop.wish(run_id, learning_rate=2e-3)
    wished_after = (await workshop.row(run_id)).step
    await workshop.wait_for(run_id, "steered", wish=1)
    await workshop.want(run_id, "stopped")
    await driving

    [steered] = await workshop.entries(run_id, "steered")
    first = cast("int", steered["step"])
    # One step may be on its way; the next one has the new rate.
    assert first <= wished_after + 2
    rates = {e["step"]: e["learning_rate"] for e in await workshop.entries(run_id, "step")}
    assert [rate for step, rate in rates.items() if cast("int", step) < first] == [1e-3] * (
        first - 1
    )
    assert all(rate == 2e-3 for step, rate in rates.items() if cast("int", step) >= first)


async def test_a_fork_goes_on_from_the_very_weights_rows_and_moments(workshop: Workshop) -> None:
    settings: dict[str, Any] = {"batch_size": 3, "checkpoint_every": 6, "schedule": "linear"}
    parent = await workshop.add_run(steps=12, **settings)
    await workshop.driver(parent).drive()
    half = await workshop.add_run([{"at_step": 6, "steps": 5}], steps=12, **settings)
    await workshop.driver(half).drive()
    assert (await workshop.row(half)).checkpoint == "step-000005"

    child = await workshop.add_run(parent=half, steps=12, **settings)
    await _drive_in_pieces(workshop, child, seed=5)

    assert await workshop.losses(child) == (await workshop.losses(parent))[5:]


class ForgetfulStore:
    """The true store, which fails to take in the first step that it is told."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.has_failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, log: str, entry: Row) -> int:
        if entry["kind"] == "step" and not self.has_failed:
            self.has_failed = True
            raise ServiceUnavailableError("The store cannot grow: the disk is full.")
        return await self._store.append(log, entry)


@pytest.mark.parametrize("is_fork", [False, True])
async def test_a_step_that_was_done_and_not_told_is_told_and_not_done_again(
    workshop: Workshop, is_fork: bool
) -> None:
    parent = None
    if is_fork:
        parent = await workshop.add_run(steps=3)
        await workshop.driver(parent).drive()
    unbroken = await workshop.add_run(parent=parent, steps=6)
    await workshop.driver(unbroken).drive()

    run_id = await workshop.add_run(parent=parent, steps=6)
    store = ForgetfulStore(workshop.store)
    driver = RunDriver(store, workshop.artifacts, workshop.provider, run_id)
    await driver.drive()

    assert store.has_failed
    losses = await workshop.losses(run_id)
    assert losses == await workshop.losses(unbroken)
    assert [step for step, _ in losses] == list(range(4 if is_fork else 1, 7))
