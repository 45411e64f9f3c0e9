"""Learning rates over the steps, from a schedule's name and settings alone."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.twinkle.class_names import find_class, read_settings

Settings = Mapping[str, float]


def _cosine_warmup(step: int, s: Settings) -> float:
    warmup = s["num_warmup_steps"]
    if step < warmup:
        return step / max(1.0, warmup)
    progress = (step - warmup) / max(1.0, s["num_training_steps"] - warmup)
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * s["num_cycles"] * 2.0 * progress)))


def _linear_warmup(step: int, s: Settings) -> float:
    warmup, total = s["num_warmup_steps"], s["num_training_steps"]
    if step < warmup:
        return step / max(1.0, warmup)
    return max(0.0, (total - step) / max(1.0, total - warmup))


def _constant(step: int, s: Settings) -> float:
    return s["factor"] if step < s["total_iters"] else 1.0


def _linear(step: int, s: Settings) -> float:
    part = min(step, s["total_iters"]) / max(1.0, s["total_iters"])
    return s["start_factor"] + (s["end_factor"] - s["start_factor"]) * part


def _polynomial(step: int, s: Settings) -> float:
    left = 1.0 - min(step, s["total_iters"]) / max(1.0, s["total_iters"])
    return math.pow(left, s["power"])


@dataclass(frozen=True, slots=True)
class _Schedule:
    factor: Callable[[int, Settings], float]
    #: By name, its default; None must be given.
    settings: Mapping[str, float | None]


#: torch's own, and the two that the protocol's client adds.
SCHEDULES: Mapping[str, _Schedule] = {
    "CosineWarmupScheduler": _Schedule(
        _cosine_warmup, {"num_warmup_steps": None, "num_training_steps": None, "num_cycles": 0.5}
    ),
    "LinearWarmupScheduler": _Schedule(
        _linear_warmup, {"num_warmup_steps": None, "num_training_steps": None}
    ),
    "ConstantLR": _Schedule(_constant, {"factor": 1.0 / 3, "total_iters": 5}),
    "LinearLR": _Schedule(_linear, {"start_factor": 1.0 / 3, "end_factor": 1.0, "total_iters": 5}),
    "PolynomialLR": _Schedule(_polynomial, {"total_iters": 5, "power": 1.0}),
    "ExponentialLR": _Schedule(lambda step, s: s["gamma"] ** step, {"gamma": None}),
    "StepLR": _Schedule(
        lambda step, s: s["gamma"] ** (step // max(1.0, s["step_size"])),
        {"step_size": None, "gamma": 0.1},
    ),
    "MultiStepLR": _Schedule(lambda _, s: s["gamma"], {"gamma": 0.1}),
    "CosineAnnealingLR": _Schedule(
        lambda step, s: (1 + math.cos(math.pi * step / max(1.0, s["T_max"]))) / 2,
        {"T_max": None, "eta_min": 0.0},
    ),
}
_MILESTONES, _ETA_MIN = "milestones", "eta_min"


def read_schedule(name: str, given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return every setting of a schedule.

    Raises:
        InvalidConfigError: There is no such schedule, or not with these settings.
    """
    schedule = find_class(SCHEDULES, name, "scheduler_cls")
    rest = {key: value for key, value in given.items() if key not in (_MILESTONES, "last_epoch")}
    settings: dict[str, JsonValue] = {**read_settings(rest, schedule.settings, name)}
    if name == "MultiStepLR":
        milestones = given.get(_MILESTONES)
        if not isinstance(milestones, list) or not all(type(one) is int for one in milestones):
            raise InvalidConfigError("MultiStepLR needs milestones, a list of steps.")
        settings[_MILESTONES] = cast("list[JsonValue]", sorted(cast("list[int]", milestones)))
    elif _MILESTONES in given:
        raise InvalidConfigError(f"milestones is not a setting of {name}.")
    return settings


def rate_at(base_rate: float, name: str, settings: Mapping[str, object], step: int) -> float:
    """Return the learning rate after so many of the schedule's steps; `name` empty is constant."""
    if not name:
        return base_rate
    try:
        return _rate_at(base_rate, name, settings, step)
    except (OverflowError, ValueError, ZeroDivisionError) as error:
        raise InvalidConfigError(
            f"{name} has no learning rate at step {step} with these settings: {error}.",
            "Set another schedule.",
        ) from error


def _rate_at(base_rate: float, name: str, settings: Mapping[str, object], step: int) -> float:
    numbers = {k: v for k, v in settings.items() if isinstance(v, int | float)}
    if name == "MultiStepLR":
        passed = bisect_right(cast("Sequence[int]", settings[_MILESTONES]), step)
        return float(base_rate * numbers["gamma"] ** passed)
    factor = SCHEDULES[name].factor(step, numbers)
    if name == "CosineAnnealingLR":
        return numbers[_ETA_MIN] + (base_rate - numbers[_ETA_MIN]) * factor
    return base_rate * factor
