"""How much a trainer computes at once on this machine, decided before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.engine.memory import ModelDimensions, fit_tokens, machine_memory

#: Of the machine's memory, for the trainer; the rest is for whoever else is on it.
_SHARE = 0.8
#: When fewer tokens than this fit, activations are computed twice rather than in tiny parts.
_ENOUGH_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class ComputePlan:
    """What the settings come to on one machine."""

    token_budget: int
    gradient_checkpointing: bool


def plan_compute(
    base_model_folder: Path, settings: TrainerSettings, machine_bytes: int | None = None
) -> ComputePlan:
    """Keep the token budget within the machine's memory, and choose checkpointing where it is auto.

    Linux promises more memory than there is and ends processes when it is used: what does not fit
    must not be tried.

    Args:
        base_model_folder: Has config.json and the weights.
        settings: As people gave them.
        machine_bytes: Memory there is; this machine's own if None.
    """
    wish = settings.gradient_checkpointing
    model = ModelDimensions.read(base_model_folder)
    if model is None:
        return ComputePlan(settings.token_budget, wish == "on")
    usable = int(_SHARE * (machine_memory() if machine_bytes is None else machine_bytes))
    num_tokens = fit_tokens(model, usable, dtype=settings.dtype)
    checkpoints = wish == "on" or (wish == "auto" and num_tokens < _ENOUGH_TOKENS)
    if checkpoints:
        num_tokens = fit_tokens(model, usable, dtype=settings.dtype, gradient_checkpointing=True)
    return ComputePlan(max(1, min(settings.token_budget, num_tokens)), checkpoints)
