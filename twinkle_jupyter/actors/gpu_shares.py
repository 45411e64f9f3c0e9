"""How the GPUs of the cluster are shared out among trainer and samplers of a base model."""

from __future__ import annotations

import math
from dataclasses import dataclass

from twinkle_jupyter.errors import InvalidConfigError

#: Of one GPU, for a trainer of which nobody says otherwise: the sampler beside it needs as much.
_TRAINER_SHARE = 0.5
#: A smaller share of a GPU holds no model.
_LEAST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class GpuShares:
    """GPUs of a trainer and of each sampler; 0 computes on the processor."""

    trainer: float
    sampler: float


def count_free_gpus() -> float:
    """Return the GPUs that nobody has in the Ray that this process is part of."""
    import ray  # it reads its environment now, and arithmetic needs none

    resources: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    return resources.get("GPU", 0.0)


def share_gpus(
    free: float, num_samplers: int, trainer: float | None, sampler: float | None
) -> GpuShares:
    """Return what was said; where nothing was, half of a GPU each, and more where there is more.

    Args:
        free: GPUs that nobody has.
        num_samplers: Samplers, which get the same each.
        trainer: What the settings say of the trainer.
        sampler: What they say of a sampler.

    Raises:
        InvalidConfigError: More is wanted than is free.
    """
    for_trainer = trainer if trainer is not None else min(_TRAINER_SHARE, free / 2)
    left = max(0.0, free - for_trainer)
    each = sampler if sampler is not None else min(1.0, left / num_samplers)
    # Ray counts in hundredths; rounded up, the last one would have no place.
    shares = GpuShares(_floor(for_trainer), _floor(each))
    wanted = shares.trainer + num_samplers * shares.sampler
    if wanted > free + 1e-6:
        raise InvalidConfigError(
            f"`trainer.gpus` and `sampler.gpus` ask for {wanted:g} GPUs; {free:g} are free.",
            "Set them lower, end another base model, or leave them out.",
        )
    return shares


def share_for_both(free: float, trainer: float | None) -> float:
    """Return the GPUs of a trainer that has its sampler with it: one, or what was said of it.

    Raises:
        InvalidConfigError: More is wanted than is free.
    """
    wanted = trainer if trainer is not None else min(1.0, free)
    return share_gpus(free, 1, wanted, 0.0).trainer


def _floor(share: float) -> float:
    floored = math.floor(100 * share + 1e-6) / 100
    return floored if floored >= _LEAST_SHARE else 0.0
