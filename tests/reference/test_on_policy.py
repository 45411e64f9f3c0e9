"""What a sampler says of its tokens is what the trainer says of them, so that RL is on-policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.reference.plain_peft import Trainee
from tests.reference.side_by_side import draw_batches, open_engine
from tests.sampler.conftest import run_together, tokens_of
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.detokenizer import load_tokenizer
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleRequest, SamplingSettings
from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
from twinkle_jupyter.sampler.torch_sampler import TorchSampler
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
)

PROMPT = (1, 40, 41, 42, 43, 2, 1)


def test_the_sampler_scores_its_tokens_as_the_trainer_does(base_folder: Path) -> None:
    key = AdapterId("six")
    company = {key: Trainee(AdapterSpec(rank=6, alpha=3.0, seed=13), num_rows=4)}
    engine = open_engine(base_folder, "float32", company)
    for batch in draw_batches(base_folder, company, num_steps=5)[key]:
        engine.forward_backward([ForwardBackward(key, 1, tuple(batch))])
        engine.optim_step([OptimStep(key, 2, AdamWSettings(learning_rate=2e-2))])
    spec, step, weights = engine.copy_weights(key)
    sampler = TorchSampler(
        load_base_model(base_folder), load_tokenizer(base_folder), SnapshotCache()
    )
    sampler.put_snapshot(AdapterSnapshot(key, AdapterVersion(step), spec, weights.numpy()))
    # Tempered and cut, which the log-probabilities are not.
    settings = SamplingSettings(max_tokens=24, temperature=1.3, top_p=0.9, top_k=40)
    asked = SampleRequest(PROMPT, settings, frozenset(), key)
    requests = [replace(asked, settings=replace(settings, seed=seed)) for seed in range(4)]
    others = [replace(asked, adapter_id=None, prompt=PROMPT[:3]) for _ in range(3)]
    answers = run_together(sampler, *requests, *others)[: len(requests)]

    examples = tuple(
        Example.from_sequence(
            PROMPT + tuple(tokens_of(deltas)), (0.0,) * len(PROMPT) + (1.0,) * len(deltas)
        )
        for deltas in answers
    )
    [result] = engine.forward_backward([ForwardBackward(key, 11, examples)])
    assert isinstance(result, ForwardBackwardResult)
    for deltas, scores in zip(answers, result.logprobs, strict=True):
        said = [logprob for delta in deltas for logprob in delta.logprobs]
        assert said == pytest.approx(scores[-len(said) :], abs=1e-4)
