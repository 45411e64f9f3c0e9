"""An adapter that is loaded at the moment in which a plan with an op of it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.runtime.lives import SPECS, A, Home, row, step_of, weights_of
from twinkle_jupyter.engine.adapter_bank import AdapterState
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import AdapterPosition
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    ForwardBackward,
    Op,
    OptimStep,
    SaveCheckpoint,
)

pytestmark = pytest.mark.usefixtures("no_company")


def _begin_just_before(trainer: TrainLoop, op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the op come, and its plan begin, in the step of the loop that takes the adapter away."""
    adopt = trainer._durability.adopt

    async def adopt_and_begin(
        adapter_id: AdapterId, folder: Path, state: AdapterState | None = None
    ) -> str:
        name = await adopt(adapter_id, folder, state)
        with trainer._tickets.wait(op.adapter_id, op.sequence_id) as ticket:
            trainer._intake._hand_over(op, ticket)
        assert trainer._dispatch._plan is not None
        return name  # nothing is awaited from the beginning of the plan on

    monkeypatch.setattr(trainer._durability, "adopt", adopt_and_begin)


@pytest.mark.parametrize("kind", ["pass", "step"])
async def test_a_plan_that_has_just_begun_does_not_train_what_is_loaded(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    saved = str(tmp_path / "saved")
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await step_of(trainer, A, 1)
        await trainer.save_checkpoint(SaveCheckpoint(A, 3, saved))
        [weights] = await weights_of(trainer, (A,))
        late: Op = ForwardBackward(A, 4, (row(A, 2),))
        if kind == "step":
            late = OptimStep(A, 4, AdamWSettings(learning_rate=1e-2), needs_gradient=False)
        _begin_just_before(trainer, late, monkeypatch)
        await trainer.load_adapter(A, saved)
        at = AdapterPosition(1, 1, has_gradient=False)
        assert await trainer.position(A) == at
    # Nor in the next life: the plan is in the journal before what was loaded.
    async with home.trainer() as trainer:
        assert await trainer.position(A) == at
        assert np.array_equal((await weights_of(trainer, (A,)))[0], weights)
