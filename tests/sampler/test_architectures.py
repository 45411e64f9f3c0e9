"""Greedy answers of every architecture that we know, in company, against plain transformers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tests.sampler.conftest import run_together, tokens_of
from tests.tiny_model import Kind, build_tiny_model
from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.checkpoint import write_peft_files
from twinkle_jupyter.engine.folder_sites import find_sites
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.batched_decoder import BatchedDecoder
from twinkle_jupyter.sampler.detokenizer import load_tokenizer
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleRequest, SamplingSettings
from twinkle_jupyter.sampler.single_decoder import SingleDecoder
from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
from twinkle_jupyter.sampler.torch_sampler import TorchSampler
from twinkle_jupyter.scheduling.request import AdapterSpec

SPEC = AdapterSpec(rank=3, alpha=6.0)
KEY = AdapterId("a")
#: Longer than every window, and than a row of the cache when the answer has come.
PROMPT = tuple(5 + n % 180 for n in range(90))
MAX_TOKENS = 60

pytestmark = [
    # peft 0.21 reads names that transformers 5.24 calls deprecated.
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),
]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_answers_in_company_are_those_of_transformers(kind: Kind, tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "base", kind)
    layout = AdapterLayout.of(find_sites(folder).sites, SPEC)
    random = np.random.default_rng(3)
    weights = random.normal(size=layout.num_parameters, scale=0.2).astype(np.float32)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    write_peft_files(adapter, SPEC, layout, torch.tensor(weights), "base")

    base = load_base_model(folder, "float64")
    sampler = TorchSampler(base, load_tokenizer(folder), SnapshotCache())
    assert isinstance(sampler.decoder, SingleDecoder if kind == "neox" else BatchedDecoder)
    sampler.put_snapshot(AdapterSnapshot(KEY, AdapterVersion(1), SPEC, weights))
    request = SampleRequest(PROMPT, SamplingSettings(max_tokens=MAX_TOKENS), frozenset(), KEY)
    requests = [
        request,
        replace(request, adapter_id=None),
        replace(request, prompt=PROMPT[:7]),
        replace(request, prompt=PROMPT[30:], adapter_id=None),
    ]
    answers = run_together(sampler, *requests)

    for asked, deltas in zip(requests, answers, strict=True):
        expected = _generate(folder, None if asked.adapter_id is None else adapter, asked)
        assert tokens_of(deltas) == expected
    # Some of these models say one thing only; the adapter is there all the same.
    assert answers[0][0].logprobs != pytest.approx(answers[1][0].logprobs, abs=1e-3)


def test_answers_read_the_weights_that_are_held_not_a_copy_each(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "base", "neox")
    base = load_base_model(folder, "bfloat16")
    sampler = TorchSampler(base, load_tokenizer(folder), SnapshotCache())
    weights = np.zeros(sampler.count_parameters(SPEC), np.float32)
    sampler.put_snapshot(AdapterSnapshot(KEY, AdapterVersion(1), SPEC, weights))
    held = sampler.snapshots.get(KEY, None)
    assert isinstance(sampler.decoder, SingleDecoder)
    row, _ = sampler.decoder.open_row(held, PROMPT)

    assert row.adapter is not None
    pairs = [pair for pair in row.adapter.factors if pair is not None]
    storage = held.weights.untyped_storage().data_ptr()
    assert {matrix.untyped_storage().data_ptr() for matrix in sum(pairs, ())} == {storage}
    assert pairs[0].down.dtype == base.dtype


def _generate(folder: Path, adapter: Path | None, request: SampleRequest) -> list[int]:
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    tokens = torch.tensor([request.prompt])
    output = model.eval().generate(
        input_ids=tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=MAX_TOKENS,
        min_new_tokens=MAX_TOKENS,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return [int(token) for token in output[0, len(request.prompt) :]]
