"""Where the actors are found: namespace and names, the same for every process that joins."""

from __future__ import annotations

NAMESPACE = "twinkle"
RUNS_ACTOR = "runs"
STORE_ACTOR = "store"


def trainer_name(base_model: str) -> str:
    """Name of the trainer actor of a base model."""
    return f"trainer:{base_model}"


def sampler_name(base_model: str, number: int = 0) -> str:
    """Name of one of the sampler actors of a base model, counted from 0."""
    return f"sampler:{base_model}" if number == 0 else f"sampler:{base_model}:{number}"
