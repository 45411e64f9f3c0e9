"""A run that has told its end has left nothing, whoever dies over it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runs.conftest import LocalProvider, Workshop
from tests.runs.test_driver_deaths import LastWords
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runs import patience
from twinkle_jupyter.runs.driver import RunDriver
from twinkle_jupyter.runtime.handles import Compute


class Dying:
    """The true trainer, which is away once when it is to give an adapter up."""

    def __init__(self, trainer: Any) -> None:
        self._trainer, self.has_died = trainer, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        if not self.has_died:
            self.has_died = True
            raise ServiceUnavailableError("The process of the trainer ended.")
        await self._trainer.remove_adapter(adapter_id)


async def test_a_finished_run_stays_finished_when_its_trainer_dies(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_FIRST_PAUSE_S", 0.01)
    loaded = workshop.provider.loaded
    dying = Compute(Dying(loaded.trainer), loaded.sampler)
    provider = LocalProvider(dying, workshop.provider.model_folder)
    run_id = await workshop.add_run(steps=3)
    await RunDriver(workshop.store, workshop.artifacts, provider, run_id).drive()
    states = [entry["state"] for entry in await workshop.entries(run_id, "state")]
    assert states.count("finished") == 1
    assert states[-1] == "finished"


async def test_a_run_that_is_over_leaves_no_adapter_when_its_driver_died(
    workshop: Workshop,
) -> None:
    run_id = await workshop.add_run(steps=3)
    store = LastWords(workshop.store, "state", 3)
    await asyncio.gather(
        RunDriver(store, workshop.artifacts, workshop.provider, run_id).drive(),
        return_exceptions=True,
    )
    assert store.has_ended
    await workshop.driver(run_id).drive()
    assert (await workshop.row(run_id)).state == "finished"
    left = (await workshop.provider.loaded.trainer.status()).num_adapters
    assert left == 0


async def test_a_run_that_failed_for_want_of_compute_leaves_no_adapter(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_PATIENCE_S", 0.0)
    loaded = workshop.provider.loaded

    class Away(Dying):
        async def optim_step(self, op: Any) -> Any:
            self.has_died = True
            raise ServiceUnavailableError("The process of the trainer ended.")

    dying = Compute(Away(loaded.trainer), loaded.sampler)
    provider = LocalProvider(dying, workshop.provider.model_folder)
    run_id = await workshop.add_run(steps=3)
    await RunDriver(workshop.store, workshop.artifacts, provider, run_id).drive()
    assert (await workshop.row(run_id)).state == "failed"
    left = (await loaded.trainer.status()).num_adapters
    assert left == 0
