"""A trainer that is closed while a cut is being written loses no adapter."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.lives import SPECS, A, B, Home, step_of, weights_of
from twinkle_jupyter.engine.adapter_bank import AdapterState
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.scheduling.request import CheckpointSaved

pytestmark = pytest.mark.usefixtures("no_company")


async def test_a_clean_end_during_a_cut_loses_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = StepEngine.write_checkpoint

    def write_slowly(
        engine: StepEngine,
        folder: Path,
        state: AdapterState,
        more: Mapping[str, str] | None = None,
    ) -> CheckpointSaved:
        time.sleep(0.3)  # a disk
        return write(engine, folder, state, more)

    # A life that ends cleanly: both adapters are in its last cut.
    trainer, store = home.make()
    await trainer.start()
    for key in (A, B):
        await trainer.create_adapter(key, SPECS[key])
    await asyncio.gather(step_of(trainer, A, 1), step_of(trainer, B, 1))
    await trainer.close()
    await store.close()

    # The next: A takes a step and rests; the cut that is due is being written while B goes on.
    monkeypatch.setattr(StepEngine, "write_checkpoint", write_slowly)
    trainer, store = home.make()
    await trainer.start()
    await step_of(trainer, A, 2)
    await step_of(trainer, B, 2)
    durability = trainer._durability
    durability.begin_cut(await trainer._copy_cut(), trainer._scheduler.as_added)  # it is due
    await step_of(trainer, B, 3)
    before = {key: await trainer.position(key) for key in (A, B)}
    weights = await weights_of(trainer, (A, B))
    await trainer.close()
    await store.close()

    monkeypatch.undo()
    with caplog.at_level(logging.WARNING):
        async with home.trainer() as trainer:
            after = {key: await trainer.position(key) for key in (A, B)}
            assert after == before
            for ours, theirs in zip(await weights_of(trainer, (A, B)), weights, strict=True):
                assert np.array_equal(ours, theirs)
