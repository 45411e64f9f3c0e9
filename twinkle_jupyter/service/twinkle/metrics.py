"""What a client is told when it asks for metrics: averages since it asked last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.service.twinkle.schedules import rate_at
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.store.records import now
from twinkle_jupyter.store.training_setups import TrainingSetupRow

#: By name: which of the sums each tells; the last ones tell what the loss says beside itself.
METRICS: Mapping[str, str] = {
    "LossMetric": "loss",
    "TrainMetric": "train",
    "GRPOMetric": "details",
    "PPOMetric": "details",
    "CISPOMetric": "details",
    "DPOMetric": "details",
}
_MINUTE_S = 60.0


def add_to_sums(
    sums: Mapping[str, JSON], loss: float, details: Mapping[str, float]
) -> dict[str, JSON]:
    """Return the sums with one more pass in them."""
    known = cast("Mapping[str, float]", sums.get("details", {}))
    return {
        "loss": cast("float", sums.get("loss", 0.0)) + loss,
        "count": cast("int", sums.get("count", 0)) + 1,
        "details": {name: known.get(name, 0.0) + value for name, value in details.items()},
    }


def describe(setup: TrainingSetupRow, *, is_training: bool) -> dict[str, JsonValue]:
    """Return what the metrics say."""
    sums = setup.train_sums if is_training else setup.eval_sums
    names = setup.train_metrics if is_training else setup.eval_metrics
    count = cast("int", sums.get("count", 0))
    told: dict[str, JsonValue] = {}
    for kind in dict.fromkeys(METRICS[name] for name in names):
        if kind == "loss":
            told["loss"] = f"{cast('float', sums.get('loss', 0.0)) / max(count, 1):.4f}"
            if setup.grad_norm > 0 and is_training:
                told["grad_norm"] = f"{setup.grad_norm:.6f}"
        elif kind == "details":
            details = cast("Mapping[str, float]", sums.get("details", {}))
            told |= {name: value / max(count, 1) for name, value in details.items()}
        else:
            told |= _describe_training(setup)
    return told


def forget_sums(setup: TrainingSetupRow, *, is_training: bool) -> TrainingSetupRow:
    """Return it as it is once the metrics were told."""
    if not is_training:
        return setup.changed(eval_sums={})
    return setup.changed(train_sums={}, measured_at=now(), measured_step=setup.cur_step)


def current_rate(setup: TrainingSetupRow) -> float:
    """Return the learning rate of the next step."""
    return rate_at(
        setup.learning_rate, setup.schedule, setup.schedule_settings, setup.schedule_step
    )


def _describe_training(setup: TrainingSetupRow) -> dict[str, JsonValue]:
    moment = datetime.now(tz=UTC)
    elapsed = (moment - datetime.fromisoformat(setup.created_at)).total_seconds()
    interval = (moment - datetime.fromisoformat(setup.measured_at)).total_seconds()
    steps = setup.gradient_accumulation_steps
    speed = (setup.cur_step - setup.measured_step) / max(interval, 1e-3) / steps
    is_short = elapsed < _MINUTE_S
    return {
        "learning rate": f"{current_rate(setup):.6e}",
        "iters": setup.cur_step // steps,
        "total time elapse": f"{elapsed:.0f} seconds"
        if is_short
        else f"{elapsed / _MINUTE_S:.1f} minutes",
        "speed": f"{speed:.2f} iters/s",
    }
