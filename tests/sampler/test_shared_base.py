"""A trainer and a sampler over one copy of the weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from tests.sampler.conftest import SPEC, run, tokens_of
from twinkle_jupyter.engine.base_model import BaseModel, load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.detokenizer import load_tokenizer
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleRequest, SamplingSettings
from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
from twinkle_jupyter.sampler.torch_sampler import TorchSampler
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
)

A = AdapterId("a")
REQUEST = SampleRequest((1, 40, 41, 42), SamplingSettings(max_tokens=8), frozenset(), A)


def _sampler(base: BaseModel, folder: Path) -> TorchSampler:
    return TorchSampler(base, load_tokenizer(folder), SnapshotCache())


def _train(engine: StepEngine, sampler: TorchSampler | None) -> list[float]:
    """Take three steps, with an answer from the newest weights after each; return the losses."""
    engine.create_adapter(A, SPEC)
    example = Example.from_sequence((1, 40, 41, 42, 2), (0, 0, 1, 1, 1))
    losses = []
    for step in range(1, 4):
        (done,) = engine.forward_backward([ForwardBackward(A, 2 * step, (example,))])
        assert isinstance(done, ForwardBackwardResult)
        losses.append(done.loss_sum)
        engine.optim_step([OptimStep(A, 2 * step + 1, AdamWSettings(0.05))])
        if sampler is not None:
            spec, version, weights = engine.copy_weights(A)
            snapshot = AdapterSnapshot(A, AdapterVersion(version), spec, weights.numpy())
            sampler.put_snapshot(snapshot)
            run(sampler, REQUEST)
    return losses


def test_one_copy_serves_both_and_neither_is_another_one_for_it(tiny_model: Path) -> None:
    for dtype in ("float32", "bfloat16"):
        base = load_base_model(tiny_model, dtype)
        twin = base.share()
        before = {name: weight.data_ptr() for name, weight in base.model.named_parameters()}
        engine = StepEngine(base, base_model_name="tiny")
        sampler = _sampler(twin, tiny_model)
        losses = _train(engine, sampler)
        # Wherever the modules are by now, there is one storage for each weight.
        for model in (base.model, twin.model):
            places = {weight.data_ptr() for weight in model.parameters()}
            assert places == set(before.values())
        assert twin.size_bytes == 0

        alone = StepEngine(load_base_model(tiny_model, dtype), base_model_name="tiny")
        assert _train(alone, None) == losses
        apart = _sampler(load_base_model(tiny_model, dtype), tiny_model)
        spec, version, weights = alone.copy_weights(A)
        apart.put_snapshot(AdapterSnapshot(A, AdapterVersion(version), spec, weights.numpy()))
        assert tokens_of(run(apart, REQUEST)) == tokens_of(run(sampler, REQUEST))


def test_weights_that_no_file_holds_are_packed_in_their_place(tiny_model: Path) -> None:
    def answer(*, is_mapped: bool) -> tuple[list[float], int]:
        base = load_base_model(tiny_model, "bfloat16")
        assert not base.is_mapped
        base.is_mapped = is_mapped
        sampler = _sampler(base, tiny_model)
        deltas = run(sampler, SampleRequest((1, 40, 41), REQUEST.settings, frozenset()))
        return [delta.logprobs[0] for delta in deltas], base.size_bytes

    assert load_base_model(tiny_model).is_mapped
    plain, packed = answer(is_mapped=True), answer(is_mapped=False)
    assert packed[1] == plain[1]
    torch.testing.assert_close(Tensor(packed[0]), Tensor(plain[0]), rtol=0, atol=0.02)
