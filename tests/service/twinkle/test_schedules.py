"""Learning rates are torch's, step by step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.optim import lr_scheduler
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.twinkle.schedules import rate_at, read_schedule

WARMUP = {"num_warmup_steps": 3, "num_training_steps": 10}


@pytest.mark.parametrize(
    ("name", "settings", "make"),
    [
        ("CosineWarmupScheduler", WARMUP, get_cosine_schedule_with_warmup),
        ("LinearWarmupScheduler", WARMUP, get_linear_schedule_with_warmup),
        ("ConstantLR", {}, lr_scheduler.ConstantLR),
        ("LinearLR", {"total_iters": 4}, lr_scheduler.LinearLR),
        ("PolynomialLR", {"total_iters": 6, "power": 2.0}, lr_scheduler.PolynomialLR),
        ("ExponentialLR", {"gamma": 0.9}, lr_scheduler.ExponentialLR),
        ("StepLR", {"step_size": 3}, lr_scheduler.StepLR),
        ("MultiStepLR", {"milestones": [2, 5], "gamma": 0.5}, lr_scheduler.MultiStepLR),
        ("CosineAnnealingLR", {"T_max": 8, "eta_min": 0.01}, lr_scheduler.CosineAnnealingLR),
    ],
)
def test_a_schedule_is_the_one_of_that_name(
    name: str, settings: dict[str, object], make: Callable[..., lr_scheduler.LRScheduler]
) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = make(optimizer, **settings)
    read = read_schedule(name, settings)  # type: ignore[arg-type]
    for step in range(12):
        assert rate_at(0.1, name, read, step) == pytest.approx(
            schedule.get_last_lr()[0], rel=1e-6, abs=1e-12
        ), step
        optimizer.step()
        schedule.step()


def test_a_setting_that_is_none_is_named() -> None:
    with pytest.raises(
        InvalidConfigError, match=r"gama is not a setting of StepLR; .* needs step_"
    ):
        read_schedule("StepLR", {"gama": 0.1})
