"""Which token comes next, from the logits of one position."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.sampler.interface import SamplingSettings, TopTokens


def check_sampling_settings(settings: SamplingSettings) -> None:
    """Refuse settings with which no token can be chosen; the message names all of them."""
    wrong = [
        f"{name}={value:g}"
        for name, value, is_right in (
            ("max_tokens", settings.max_tokens, settings.max_tokens >= 1),
            ("temperature", settings.temperature, settings.temperature >= 0),
            ("top_p", settings.top_p, 0 < settings.top_p <= 1),
            ("top_k", settings.top_k, settings.top_k >= 0),
        )
        if not (is_right and math.isfinite(value))
    ]
    if wrong:
        raise InvalidConfigError(
            f"No token can be chosen with {', '.join(wrong)}.",
            "max_tokens is at least 1, temperature and top_k at least 0, top_p above 0 up to 1.",
        )


def find_top(logprobs: Tensor, count: int) -> list[TopTokens]:
    """Return the `count` likeliest tokens of each row of (N, V), best first; none for 0."""
    if not count:
        return []
    values, tokens = logprobs.topk(min(count, logprobs.shape[-1]), dim=-1)
    rows = zip(tokens.tolist(), values.tolist(), strict=True)
    return [tuple(zip(*row, strict=True)) for row in rows]


def choose_token(
    logits: Tensor, settings: SamplingSettings, generator: torch.Generator
) -> tuple[int, float]:
    """Choose by temperature, then top-k, then top-p, as `transformers` does in its order.

    Args:
        logits: (V,) fp32 or finer.
        settings: Checked before; temperature 0 takes the likeliest token.
        generator: Of this request alone, so that its answer does not depend on company.

    Returns:
        The token, and its natural-log probability under the logits as they came.
    """
    logprobs = torch.log_softmax(logits, dim=-1)
    if settings.temperature == 0:
        token = int(logits.argmax())
        return token, float(logprobs[token])
    scores = logits / settings.temperature
    if 0 < settings.top_k < scores.shape[-1]:
        smallest_kept = torch.topk(scores, settings.top_k).values[-1]
        scores = scores.masked_fill(scores < smallest_kept, -math.inf)
    probabilities = torch.softmax(scores, dim=-1)
    if settings.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        # Without its own share, so that the token that crosses the line stays.
        before = ordered.cumsum(dim=-1) - ordered
        probabilities[order[before >= settings.top_p]] = 0.0
    token = int(torch.multinomial(probabilities, 1, generator=generator))
    return token, float(logprobs[token])
