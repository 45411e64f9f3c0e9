"""Each loss as a paper writes it: one row at a time, from log-probabilities over all places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from twinkle_jupyter.example import Example


def naive_loss(
    name: str,
    settings: Mapping[str, float],
    rows: Sequence[Tensor],
    examples: Sequence[Example],
) -> Tensor:
    """Add up the loss of all rows; each is (T,) log-probabilities of its targets."""
    if name == "dpo":
        pairs = range(0, len(rows), 2)
        return torch.stack(
            [_dpo(settings, rows[i : i + 2], examples[i : i + 2]) for i in pairs]
        ).sum()
    total = rows[0].new_zeros(())
    for row, example in zip(rows, examples, strict=True):
        places = zip(row, example.weights, strict=True)
        for place, (logprob, weight) in enumerate(places):
            if weight != 0:
                total = total + weight * _term(name, settings, logprob, example, place)
    return total


def _term(
    name: str, settings: Mapping[str, float], logprob: Tensor, example: Example, place: int
) -> Tensor:
    if name == "cross_entropy":
        return -logprob
    advantage = example.advantages[place]
    log_ratio = logprob - example.sampled_logprobs[place]
    ratio = torch.exp(log_ratio)
    if name == "importance_sampling":
        return -ratio * advantage
    if name == "dro":
        return -(logprob * advantage - settings["beta"] / 2 * log_ratio**2)
    if name == "ppo":
        low = settings.get("clip_low_threshold", 0.8)
        high = settings.get("clip_high_threshold", 1.2)
        return -torch.minimum(ratio * advantage, torch.clip(ratio, low, high) * advantage)
    assert name == "cispo"
    clipped = torch.clip(
        ratio, settings.get("clip_low_threshold", 0.0), settings.get("clip_high_threshold", 4.0)
    )
    return -clipped.detach() * logprob * advantage


def _dpo(
    settings: Mapping[str, float], rows: Sequence[Tensor], examples: Sequence[Example]
) -> Tensor:
    chosen, rejected = (
        (torch.tensor(example.weights, dtype=row.dtype) * row).sum()
        - sum(w * q for w, q in zip(example.weights, example.sampled_logprobs, strict=True))
        for row, example in zip(rows, examples, strict=True)
    )
    logits = settings.get("beta", 0.1) * (chosen - rejected)
    smoothing = settings.get("label_smoothing", 0.0)
    likelihood = (torch.tensor(examples[0].weights, dtype=rows[0].dtype) * rows[0]).sum()
    return (
        -(1 - smoothing) * torch.log(torch.sigmoid(logits))
        - smoothing * torch.log(torch.sigmoid(-logits))
        - settings.get("sft_weight", 0.0) * likelihood
    )
