"""Learning rate of a step: warm-up, then constant, linear or cosine."""

from __future__ import annotations

import math

from twinkle_jupyter.config.run_config import RunConfig


def learning_rate_at(config: RunConfig, step: int, total_steps: int) -> float:
    """Return the rate of one optimizer step.

    Args:
        config: Its `learning_rate` is reached at the end of the warm-up.
        step: 1 … total_steps.
        total_steps: Steps of the whole run; the rate of the last one is above zero.
    """
    warmup = min(config.warmup_steps, total_steps - 1)
    if step <= warmup:
        return config.learning_rate * step / (warmup + 1)
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - warmup - 1) / max(1, total_steps - warmup)
    if config.schedule == "linear":
        return config.learning_rate * (1.0 - done)
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
