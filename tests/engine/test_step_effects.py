"""What else than a step may be asked of a gradient: its norm, and that it goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.engine.conftest import example
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    OptimStep,
    OptimStepResult,
)

A, B = AdapterId("a"), AdapterId("b")
ROW = example(5, 6, 7, 8, 9)
SPEC = AdapterSpec(rank=2, alpha=4.0)
STEP = AdamWSettings(learning_rate=1e-2)


def test_a_gradient_is_measured_scaled_and_thrown_away(engine: StepEngine) -> None:
    """A scale is that of the loss weights, before the norm is taken and clipped."""
    engine.create_adapter(A, SPEC)
    engine.create_adapter(B, SPEC)
    half = Example(ROW.tokens, ROW.targets, tuple(weight / 2 for weight in ROW.weights))
    engine.forward_backward([ForwardBackward(A, 1, (ROW,)), ForwardBackward(B, 1, (half,))])
    clipped = replace(STEP, grad_clip_norm=0.1, eps=0.1)
    scaled = replace(clipped, gradient_scale=0.5)
    before = engine.bank.get(A).gradient.clone()
    results = engine.optim_step(
        [
            OptimStep(A, 2, scaled, effect="measure"),
            OptimStep(A, 3, scaled),
            OptimStep(B, 2, clipped),
        ]
    )
    norms = [result.grad_norm for result in results if isinstance(result, OptimStepResult)]
    assert norms == pytest.approx([float(before.norm()) / 2] * 3, rel=1e-5)
    assert norms[0] > 0.1
    assert [result.step for result in results if isinstance(result, OptimStepResult)] == [0, 1, 1]
    assert torch.allclose(engine.bank.get(A).parameters, engine.bank.get(B).parameters, atol=1e-6)
    engine.forward_backward([ForwardBackward(A, 1, (ROW,))])
    kept = engine.bank.get(A).parameters.detach().clone()
    engine.optim_step([OptimStep(A, 5, STEP, effect="discard")])
    assert not engine.bank.get(A).has_gradient
    assert not engine.bank.get(A).gradient.any()
    assert torch.equal(engine.bank.get(A).parameters, kept)
