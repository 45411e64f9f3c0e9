"""The next token, as `transformers` would choose it."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.sampler.interface import SamplingSettings
from twinkle_jupyter.sampler.token_choice import (
    PromptDraws,
    TokenChooser,
    check_sampling_settings,
    keep_candidates,
)

LOGITS = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))


def _draw(settings: SamplingSettings, num_draws: int = 400) -> Counter[int]:
    chooser = TokenChooser(settings, ())
    return Counter(chooser.choose(LOGITS, 0) for _ in range(num_draws))


def test_temperature_zero_takes_the_likeliest() -> None:
    assert set(_draw(SamplingSettings(), 3)) == {0}


def test_only_what_is_kept_is_drawn() -> None:
    assert set(_draw(SamplingSettings(temperature=1.0))) == {0, 1, 2, 3}
    assert set(_draw(SamplingSettings(temperature=1.0, top_k=2))) == {0, 1}
    assert set(_draw(SamplingSettings(temperature=1.0, top_p=0.7))) == {0, 1}
    assert set(_draw(SamplingSettings(temperature=1.0, top_p=0.85))) == {0, 1, 2}
    assert set(_draw(SamplingSettings(temperature=1.0, top_p=1e-6))) == {0}
    assert set(_draw(SamplingSettings(temperature=1.0, top_k=99))) == {0, 1, 2, 3}
    assert set(_draw(SamplingSettings(temperature=1.0, min_p=0.5))) == {0, 1}
    assert set(_draw(SamplingSettings(temperature=1.0, top_p=0.85, min_p=0.5))) == {0, 1}


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    drawn = _draw(SamplingSettings(temperature=1.0), 4000)
    for token, probability in enumerate((0.5, 0.3, 0.15, 0.05)):
        # Four standard deviations.
        spread = 4 * math.sqrt(probability * (1 - probability) / 4000)
        assert drawn[token] / 4000 == pytest.approx(probability, abs=spread)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_in_a_prompt_are_as_often_as_likely_at_the_temperature(temperature: float) -> None:
    """In parts or whole, they are the same ones."""
    count, rows = 2000, LOGITS.log_softmax(dim=0).expand(3, -1)
    drawn = PromptDraws(count, temperature, 3).draw(rows)
    parts = PromptDraws(count, temperature, 3)
    assert parts.draw(rows[:1]) + parts.draw(rows[1:]) == drawn
    for row in drawn:
        counts = Counter(token for token, _ in row)
        for token, probability in enumerate((LOGITS / temperature).softmax(dim=0).tolist()):
            spread = 4 * math.sqrt(probability * (1 - probability) / count)
            assert counts[token] / count == pytest.approx(probability, abs=spread)
        assert {logprob for token, logprob in row if token == 0} == {float(rows[0, 0])}


def test_a_seed_draws_the_same_again_and_another_one_does_not() -> None:
    def answer(seed: int) -> list[int]:
        chooser = TokenChooser(SamplingSettings(temperature=1.0, seed=seed), ())
        return [chooser.choose(LOGITS, 0) for _ in range(40)]

    assert answer(1) == answer(1) != answer(2)


@settings(max_examples=60, deadline=None)
@given(
    temperature=st.floats(0.2, 4.0),
    top_k=st.integers(0, 12),
    top_p=st.floats(0.05, 1.0),
    min_p=st.floats(0.0, 0.9),
    size=st.sampled_from([12, 900]),
    seed=st.integers(0, 1000),
)
def test_what_is_drawn_from_is_what_transformers_draws_from(
    temperature: float, top_k: int, top_p: float, min_p: float, size: int, seed: int
) -> None:
    logits = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    warpers = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
    if top_k:
        warpers.append(TopKLogitsWarper(top_k))
    warpers += [TopPLogitsWarper(top_p), MinPLogitsWarper(min_p)]
    scores = warpers(torch.zeros(1, 1, dtype=torch.long), logits[None])  # type: ignore[arg-type]
    expected = torch.softmax(scores[0], dim=-1)
    choice = SamplingSettings(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    tokens, probabilities = keep_candidates(logits, choice)
    found = torch.zeros_like(expected)
    places = torch.arange(size) if tokens is None else tokens
    found[places] = probabilities / probabilities.sum()
    torch.testing.assert_close(found, expected)


def test_what_was_said_becomes_less_likely() -> None:
    logits = torch.tensor([3.0, 2.9, 2.0, -1.0])
    # As transformers does it, over prompt and answer.
    chooser = TokenChooser(SamplingSettings(repetition_penalty=1.3), [1, 3])
    said = [1, 3]
    for _ in range(4):
        process = RepetitionPenaltyLogitsProcessor(1.3)
        scores = process(torch.tensor([said]), logits[None])
        token = chooser.choose(logits, 0)
        assert token == int(scores[0].argmax())
        said.append(token)
    # Once, and for each time; what the prompt says does not count.
    once = TokenChooser(SamplingSettings(presence_penalty=0.2), [0, 0])
    assert [once.choose(logits, 0) for _ in range(4)] == [0, 1, 0, 0]
    each = TokenChooser(SamplingSettings(frequency_penalty=0.5), [0, 0])
    assert [each.choose(logits, 0) for _ in range(6)] == [0, 1, 0, 1, 0, 2]


def test_a_bias_is_added_to_the_logits() -> None:
    biased = SamplingSettings(logit_bias=((3, 3.0), (0, -100.0), (99, 5.0)))
    assert set(_draw(biased, 3)) == {3}
    assert set(_draw(SamplingSettings(temperature=1.0, logit_bias=((0, -100.0),)))) == {1, 2, 3}


def test_settings_without_meaning_are_named_all_at_once() -> None:
    wrong = SamplingSettings(max_tokens=0, temperature=-1.0, top_p=0.0, top_k=-2, min_p=2.0)
    expected = "with max_tokens=0, temperature=-1, top_p=0, top_k=-2, min_p=2"
    with pytest.raises(InvalidConfigError, match=expected):
        check_sampling_settings(wrong)
    with pytest.raises(InvalidConfigError, match="with temperature=nan"):
        check_sampling_settings(SamplingSettings(temperature=math.nan))
    penalties = SamplingSettings(
        repetition_penalty=0.0, presence_penalty=3.0, frequency_penalty=-2.5
    )
    expected = "repetition_penalty=0, presence_penalty=3, frequency_penalty=-2.5"
    with pytest.raises(InvalidConfigError, match=expected):
        check_sampling_settings(penalties)
