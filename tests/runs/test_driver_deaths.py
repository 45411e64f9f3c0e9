"""A driver that dies right after it told something, and its successor: nothing is left out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runs.conftest import Workshop
from twinkle_jupyter.ids import RunId
from twinkle_jupyter.runs.driver import RunDriver
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.sqlite import SqliteStore

#: A rate at which the tiny model's eval loss soon rises again.
_WILD: dict[str, Any] = {
    "steps": 400,
    "learning_rate": 0.05,
    "eval_fraction": 0.3,
    "eval_every": 2,
    "checkpoint_every": 100,
}


class LastWords:
    """The true store, whose driver is ended once, right after one entry is in the log."""

    def __init__(self, store: SqliteStore, kind: str, step: int) -> None:
        self._store = store
        self._entry = (kind, step)
        self.has_ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, log: str, entry: Row) -> int:
        position = await self._store.append(log, entry)
        if (entry["kind"], entry.get("step")) == self._entry and not self.has_ended:
            self.has_ended = True
            raise asyncio.CancelledError
        return position


async def _drive_with_a_death(workshop: Workshop, run_id: RunId, kind: str, step: int) -> None:
    store = LastWords(workshop.store, kind, step)
    driver = RunDriver(store, workshop.artifacts, workshop.provider, run_id)
    await asyncio.gather(driver.drive(), return_exceptions=True)
    assert store.has_ended
    await workshop.driver(run_id).drive()


@pytest.mark.parametrize("at", ["best", "last"])
@pytest.mark.parametrize("kind", ["step", "eval", "checkpoint"])
async def test_the_best_and_the_end_are_those_of_an_unbroken_run(
    workshop: Workshop, kind: str, at: str
) -> None:
    unbroken = await workshop.add_run(patience=3, **_WILD)
    await workshop.driver(unbroken).drive()
    wanted = await workshop.row(unbroken)
    run_id = await workshop.add_run(patience=3, **_WILD)

    step = wanted.best_step if at == "best" else wanted.step
    await _drive_with_a_death(workshop, run_id, kind, step)

    row = await workshop.row(run_id)
    assert await workshop.losses(run_id) == await workshop.losses(unbroken)
    names = ("state", "reason", "step", "loss", "keep", "checkpoint", "best_step", "best_loss")
    assert [getattr(row, one) for one in names] == [getattr(wanted, one) for one in names]


async def test_a_checkpoint_that_is_due_is_made_by_whoever_goes_on(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=12, checkpoint_every=5)

    await _drive_with_a_death(workshop, run_id, "step", 5)

    saved = [entry["step"] for entry in await workshop.entries(run_id, "checkpoint")]
    assert saved == [5, 10, 12]


async def test_a_paused_run_that_is_stopped_keeps_the_best_if_asked_to(workshop: Workshop) -> None:
    run_id = await workshop.add_run([{"at_step": 20, "eval_every": 1000}], **_WILD)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "step", step=22)
    await workshop.want(run_id, "paused")
    await workshop.wait_for(run_id, "state", state="paused")

    await workshop.want(run_id, "stopped", keep="best")
    await driving

    row = await workshop.row(run_id)
    assert (row.state, row.checkpoint) == ("stopped", f"step-{row.best_step:06d}")
    assert 0 < row.best_step < 20 < row.step
