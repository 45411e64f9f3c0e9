"""Which token comes next, from the logits of one position.

In this order, as `transformers` has it: penalties and bias, temperature, top-k, top-p, min-p. A
token is drawn from what is kept by its cumulative distribution and one number of the answer's own
generator, so that an answer does not depend on its company.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.sampler.interface import SamplingSettings, TopTokens

#: Likeliest tokens that are sorted first; most of the time top-p needs no more.
_FIRST_LOOK = 512
_LARGEST_PENALTY = 2.0
#: Tells the numbers of a prompt's draws from those of its answer.
_DRAWS = 0x5DEECE66D


def check_sampling_settings(settings: SamplingSettings) -> None:
    """Refuse settings with which no token can be chosen; the message names all of them."""
    penalties = (settings.presence_penalty, settings.frequency_penalty)
    wrong = [
        f"{name}={value:g}"
        for name, value, is_right in (
            ("max_tokens", settings.max_tokens, settings.max_tokens >= 1),
            ("temperature", settings.temperature, settings.temperature >= 0),
            ("top_p", settings.top_p, 0 < settings.top_p <= 1),
            ("top_k", settings.top_k, settings.top_k >= 0),
            ("min_p", settings.min_p, 0 <= settings.min_p <= 1),
            (
                "repetition_penalty",
                settings.repetition_penalty,
                settings.repetition_penalty > 0,
            ),
            ("presence_penalty", penalties[0], abs(penalties[0]) <= _LARGEST_PENALTY),
            ("frequency_penalty", penalties[1], abs(penalties[1]) <= _LARGEST_PENALTY),
        )
        if not (is_right and math.isfinite(value))
    ]
    if wrong:
        raise InvalidConfigError(
            f"No token can be chosen with {', '.join(wrong)}.",
            "max_tokens is at least 1, temperature and top_k at least 0, top_p above 0 up to 1,"
            " min_p from 0 to 1, repetition_penalty above 0, presence_penalty and"
            f" frequency_penalty from -{_LARGEST_PENALTY:g} to {_LARGEST_PENALTY:g}.",
        )


def find_top(logprobs: Tensor, count: int) -> list[TopTokens]:
    """Return the `count` likeliest tokens of each row of (N, V), best first; none for 0."""
    if not count:
        return []
    values, tokens = logprobs.topk(min(count, logprobs.shape[-1]), dim=-1)
    rows = zip(tokens.tolist(), values.tolist(), strict=True)
    return [tuple(zip(*row, strict=True)) for row in rows]


class PromptDraws:
    """Draws tokens in the places of a prompt, with replacement.

    Args:
        count: Tokens for each place.
        temperature: 0 draws the likeliest only.
        seed: Of a stream of its own: the answer is the same with and without.
    """

    def __init__(self, count: int, temperature: float, seed: int) -> None:
        self._count = count
        self._temperature = temperature
        self._generator = torch.Generator().manual_seed(seed ^ _DRAWS)

    def draw(self, logprobs: Tensor) -> list[TopTokens]:
        """Return tokens with their log-probabilities for each row of (N, V); none for none."""
        if not self._count:
            return []
        if self._temperature:
            scaled = (logprobs / self._temperature).softmax(dim=-1)
            cumulative = scaled.cumsum(dim=-1, dtype=torch.float64)
            shape = (len(logprobs), self._count)
            drawn = torch.rand(shape, generator=self._generator, dtype=torch.float64)
            tokens = torch.searchsorted(cumulative, drawn * cumulative[:, -1:], right=True)
            tokens = tokens.clamp(max=logprobs.shape[-1] - 1)
        else:
            tokens = logprobs.argmax(dim=-1, keepdim=True).expand(-1, self._count)
        rows = zip(tokens.tolist(), logprobs.gather(1, tokens).tolist(), strict=True)
        return [tuple(zip(*row, strict=True)) for row in rows]


class TokenChooser:
    """Chooses the tokens of one answer.

    Args:
        settings: Checked before.
        prompt: Its tokens, for the repetition penalty.
    """

    def __init__(self, settings: SamplingSettings, prompt: Sequence[int]) -> None:
        self._settings = settings
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._seen = set(prompt) if settings.repetition_penalty != 1 else set[int]()
        self._counts: Counter[int] = Counter()
        self._biased = torch.tensor([token for token, _ in settings.logit_bias], dtype=torch.long)
        self._bias = torch.tensor([bias for _, bias in settings.logit_bias])

    def choose(self, logits: Tensor, likeliest: int) -> int:
        """Return the next token; it counts as said.

        Args:
            logits: (V,), fp32 or finer.
            likeliest: The token with the greatest of them.
        """
        scores = self._penalise(logits)
        if self._settings.temperature == 0:
            token = likeliest if scores is logits else int(scores.argmax())
        else:
            tokens, probabilities = keep_candidates(scores, self._settings)
            token = self._draw(tokens, probabilities)
        self._counts[token] += 1
        if self._settings.repetition_penalty != 1:
            self._seen.add(token)
        return token

    def _draw(self, tokens: Tensor | None, probabilities: Tensor) -> int:
        cumulative = probabilities.cumsum(dim=0, dtype=torch.float64)
        drawn = torch.rand(1, generator=self._generator, dtype=torch.float64) * cumulative[-1]
        # Right of what is equal: nothing without any probability is drawn.
        found = int(torch.searchsorted(cumulative, drawn, right=True))
        place = min(found, len(cumulative) - 1)
        return place if tokens is None else int(tokens[place])

    def _penalise(self, logits: Tensor) -> Tensor:
        settings = self._settings
        if self._seen:
            # Keskar et al. 2019 (arXiv:1909.05858), with the sign that transformers looks at.
            seen = torch.tensor(sorted(self._seen))
            scores = logits[seen]
            penalty = settings.repetition_penalty
            scores = torch.where(scores < 0, scores * penalty, scores / penalty)
            logits = logits.index_copy(0, seen, scores)
        if self._counts and (settings.presence_penalty or settings.frequency_penalty):
            said = torch.tensor(list(self._counts))
            counts = torch.tensor(list(self._counts.values()), dtype=logits.dtype)
            less = settings.presence_penalty + settings.frequency_penalty * counts
            logits = logits.index_add(0, said, -less)
        if len(self._bias):
            # Some models read more tokens than they write.
            are_there = self._biased < len(logits)
            bias = self._bias[are_there].to(logits.dtype)
            logits = logits.index_add(0, self._biased[are_there], bias)
        return logits


def keep_candidates(scores: Tensor, settings: SamplingSettings) -> tuple[Tensor | None, Tensor]:
    """Return the tokens that may be drawn with their probabilities, not normalised.

    Args:
        scores: (V,)
        settings: With a temperature above 0.

    Returns:
        Tokens, likeliest first, and a probability for each; no tokens for all as they are numbered.
    """
    scores = scores / settings.temperature
    size = scores.shape[-1]
    if 0 < settings.top_k < size:
        kept, tokens = scores.topk(settings.top_k)
        probabilities = torch.softmax(kept, dim=-1)
    elif settings.top_p < 1:
        probabilities, tokens = _sort_likeliest(scores, settings.top_p)
    else:
        probabilities = torch.softmax(scores, dim=-1)
        if settings.min_p:
            least = settings.min_p * probabilities.max()
            probabilities = probabilities.masked_fill(probabilities < least, 0.0)
        return None, probabilities
    # Without its own share, so that the token that crosses the line stays.
    before = probabilities.cumsum(dim=-1) - probabilities
    is_kept = (before < settings.top_p) & (probabilities >= settings.min_p * probabilities[0])
    is_kept[0] = True
    return tokens[is_kept], probabilities[is_kept]


def _sort_likeliest(scores: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Return probabilities and tokens, likeliest first, as many as reach `top_p` at least."""
    total = torch.logsumexp(scores, dim=-1)
    kept, tokens = scores.topk(min(_FIRST_LOOK, scores.shape[-1]))
    probabilities = torch.exp(kept - total)
    if float(probabilities.sum()) < top_p:
        kept, tokens = scores.sort(descending=True)
        probabilities = torch.exp(kept - total)
    return probabilities, tokens
