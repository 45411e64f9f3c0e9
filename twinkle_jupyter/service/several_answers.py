"""Several answers to one prompt: each its own, and the same again for the same seed."""

from __future__ import annotations

import secrets
from dataclasses import replace

from twinkle_jupyter.runtime.handles import SampleRequest

#: Of an answer for which no length was asked.
MAX_TOKENS = 4096
_SEED_STEP = 1_000_003
_MAX_SEED = 2**63


def seed_of(wanted: int | None) -> int:
    """Return a seed that a sampler takes; any, where none is wanted."""
    return (wanted if wanted is not None else secrets.randbits(62)) % _MAX_SEED


def nth_answer(request: SampleRequest, number: int) -> SampleRequest:
    """Return what the sampler is asked for the answer of this number, from 0 on."""
    seed = (request.settings.seed + number * _SEED_STEP) % _MAX_SEED
    return replace(request, settings=replace(request.settings, seed=seed))
