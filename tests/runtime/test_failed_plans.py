"""What a plan that failed as a whole has changed is changed in the next life, too."""

from __future__ import annotations

import pytest

from tests.runtime.lives import SPECS, A, B, C, Home, row
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.errors import ConflictError, RunFailedError
from twinkle_jupyter.runtime.handles import AdapterPosition
from twinkle_jupyter.scheduling.request import AdamWSettings, ForwardBackward, OptimStep

_SETTINGS = AdamWSettings(learning_rate=1e-2)


pytestmark = pytest.mark.usefixtures("no_company")


async def test_a_gradient_that_was_thrown_away_stays_so(home: Home) -> None:
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await trainer.forward_backward(ForwardBackward(A, 1, (row(A, 1),)))
        with pytest.raises(RunFailedError, match="not a finite number"):
            await trainer.optim_step(OptimStep(A, 2, AdamWSettings(1e-2, gradient_scale=1e39)))
        before = await trainer.position(A)
        assert before == AdapterPosition(3, 0, has_gradient=False)
    async with home.trainer() as trainer:
        after = await trainer.position(A)
        assert after == before


async def test_a_step_that_was_refused_has_moved_its_adapter_into_a_slot(home: Home) -> None:
    """Three adapters, two slots: who is in one decides who is computed together."""
    home.settings = TrainerSettings(max_active_adapters=2)
    async with home.trainer() as trainer:
        for key in (A, B, C):
            await trainer.create_adapter(key, SPECS[key])
        with pytest.raises(ConflictError, match="no gradient"):
            await trainer.optim_step(OptimStep(A, 1, _SETTINGS))
        before = await trainer._thread.call(lambda engine: engine.adapters.arrangement())
    async with home.trainer() as trainer:
        assert before == await trainer._thread.call(lambda engine: engine.adapters.arrangement())
