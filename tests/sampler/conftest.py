"""A sampler over the tiny model, and prompts for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.detokenizer import load_tokenizer
from twinkle_jupyter.sampler.interface import (
    AdapterSnapshot,
    SampleDelta,
    SampleRequest,
)
from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
from twinkle_jupyter.sampler.torch_sampler import TorchSampler
from twinkle_jupyter.scheduling.request import AdapterSpec

SPEC = AdapterSpec(rank=2, alpha=4.0)


@pytest.fixture
def sampler(tiny_model: Path) -> TorchSampler:
    return TorchSampler(load_base_model(tiny_model), load_tokenizer(tiny_model), SnapshotCache())


def make_snapshot(
    sampler: TorchSampler, adapter_id: AdapterId, version: int, seed: int
) -> AdapterSnapshot:
    """Weights large enough to change what is said."""
    weights = np.random.default_rng(seed).normal(size=sampler.count_parameters(SPEC)) * 0.3
    return AdapterSnapshot(adapter_id, AdapterVersion(version), SPEC, weights.astype(np.float32))


def run_together(sampler: TorchSampler, *requests: SampleRequest) -> list[list[SampleDelta]]:
    """Take answers that begin at the same time to their ends."""
    told: dict[int, list[SampleDelta]] = {number: [] for number in range(len(requests))}
    for number, request in enumerate(requests):
        sampler.open_answer(number, request)
    while sampler.num_open:
        for number, thing in sampler.advance().told:
            if isinstance(thing, TwinkleError):
                raise thing
            told[number].append(thing)
    return list(told.values())


def run(sampler: TorchSampler, request: SampleRequest) -> list[SampleDelta]:
    """Take the answer to its end."""
    return run_together(sampler, request)[0]


def tokens_of(deltas: list[SampleDelta]) -> list[int]:
    return [token for delta in deltas for token in delta.tokens]
