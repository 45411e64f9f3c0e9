"""Where the actors are found: namespace and names, the same for every process that joins."""

from __future__ import annotations

NAMESPACE = "twinkle"
RUNS_ACTOR = "runs"
STORE_ACTOR = "store"


def trainer_name(base_model: str) -> str:
    """Name of the trainer actor of a base model."""
    return f"trainer:{base_model}"


def sampler_name(base_model: str) -> str:
    """Name of the sampler actor of a base model."""
    return f"sampler:{base_model}"
