"""Ops of an adapter that was replaced do not come back with the next life."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.runtime.lives import SPECS, A, B, Home, row, step_of, weights_of
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    ForwardBackward,
    OptimStep,
    SaveCheckpoint,
)

pytestmark = pytest.mark.usefixtures("no_company")


@pytest.mark.parametrize("how", ["loaded", "removed and created"])
@pytest.mark.parametrize("somebody_waits", [False, True])
async def test_ops_of_a_replaced_adapter_do_not_come_back(
    home: Home, tmp_path: Path, how: str, somebody_waits: bool
) -> None:
    async with home.trainer() as trainer:
        for key in (A, B):
            await trainer.create_adapter(key, SPECS[key])
        if somebody_waits:  # one op of B, which waits for the one before it
            await trainer.accept(OptimStep(B, 2, AdamWSettings(learning_rate=1e-2)))
        await step_of(trainer, A, 1)
        await trainer.save_checkpoint(SaveCheckpoint(A, 3, str(tmp_path / "saved")))
        for number in range(4, 14, 2):
            await trainer.forward_backward(ForwardBackward(A, number, (row(A, number),)))
            await trainer.optim_step(OptimStep(A, number + 1, AdamWSettings(learning_rate=1e-2)))
        if how == "loaded":
            await trainer.load_adapter(A, str(tmp_path / "saved"))
        else:
            await trainer.remove_adapter(A)
            await trainer.create_adapter(A, SPECS[A])
        before = await trainer.position(A)
        [weights] = await weights_of(trainer, (A,))
        # A cut, as every 20 s.
        durability = trainer._durability
        durability.begin_cut(await trainer._copy_cut(), trainer._scheduler.as_added)
        assert durability._writing is not None
        await durability._writing
        await durability.journal.flushed()
    async with home.trainer() as trainer:
        after = await trainer.position(A)
        [ours] = await weights_of(trainer, (A,))
        assert after == before
        assert np.array_equal(ours, weights)
