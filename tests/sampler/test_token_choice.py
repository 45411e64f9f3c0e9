"""The next token, as `transformers` would choose it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation.logits_process import (
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.sampler.interface import SamplingSettings
from twinkle_jupyter.sampler.token_choice import check_sampling_settings, choose_token

LOGITS = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))


def _draw(settings: SamplingSettings, num_draws: int = 400) -> set[int]:
    generator = torch.Generator().manual_seed(0)
    return {choose_token(LOGITS, settings, generator)[0] for _ in range(num_draws)}


def test_temperature_zero_takes_the_likeliest_and_gives_its_logprob() -> None:
    token, logprob = choose_token(LOGITS, SamplingSettings(), torch.Generator())
    assert token == 0
    assert logprob == pytest.approx(math.log(0.5))


def test_the_logprob_is_of_the_untempered_model() -> None:
    generator = torch.Generator().manual_seed(0)
    choice = SamplingSettings(temperature=3.0, top_k=2)
    token, logprob = choose_token(LOGITS, choice, generator)
    assert logprob == pytest.approx(float(LOGITS[token]))


def test_only_what_is_kept_is_drawn() -> None:
    assert _draw(SamplingSettings(temperature=1.0)) == {0, 1, 2, 3}
    assert _draw(SamplingSettings(temperature=1.0, top_k=2)) == {0, 1}
    assert _draw(SamplingSettings(temperature=1.0, top_p=0.7)) == {0, 1}
    assert _draw(SamplingSettings(temperature=1.0, top_p=0.85)) == {0, 1, 2}
    assert _draw(SamplingSettings(temperature=1.0, top_p=1e-6)) == {0}
    assert _draw(SamplingSettings(temperature=1.0, top_k=99)) == {0, 1, 2, 3}


@settings(max_examples=40, deadline=None)
@given(
    temperature=st.floats(0.2, 4.0),
    top_k=st.integers(1, 12),
    top_p=st.floats(0.05, 0.99),
    seed=st.integers(0, 1000),
)
def test_the_choice_is_that_of_transformers(
    temperature: float, top_k: int, top_p: float, seed: int
) -> None:
    logits = torch.randn(12, generator=torch.Generator().manual_seed(seed))
    warpers = LogitsProcessorList(
        [TemperatureLogitsWarper(temperature), TopKLogitsWarper(top_k), TopPLogitsWarper(top_p)]
    )
    scores = warpers(torch.zeros(1, 1, dtype=torch.long), logits[None])  # type: ignore[arg-type]
    expected = torch.multinomial(
        torch.softmax(scores[0], dim=-1), 1, generator=torch.Generator().manual_seed(seed)
    )
    choice = SamplingSettings(temperature=temperature, top_k=top_k, top_p=top_p)
    token, _ = choose_token(logits, choice, torch.Generator().manual_seed(seed))
    assert token == int(expected)


def test_settings_without_meaning_are_named_all_at_once() -> None:
    wrong = SamplingSettings(max_tokens=0, temperature=-1.0, top_p=0.0, top_k=-2)
    expected = "with max_tokens=0, temperature=-1, top_p=0, top_k=-2"
    with pytest.raises(InvalidConfigError, match=expected):
        check_sampling_settings(wrong)
    with pytest.raises(InvalidConfigError, match="with temperature=nan"):
        check_sampling_settings(SamplingSettings(temperature=math.nan))
