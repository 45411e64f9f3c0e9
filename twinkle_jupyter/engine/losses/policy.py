"""Learning from how well sampled tokens turned out: policy gradients, one term a position.

In all of them r = exp(logprob - sampled logprob) says how much more likely a token has become
since it was sampled, and A is its advantage. Positions that carry no weight are never seen.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from twinkle_jupyter.engine.losses.definition import Loss, LossInputs, LossValue, Setting

_NEEDS = ("advantages", "sampled_logprobs")
_BOUNDS = ("clip_low_threshold", "clip_high_threshold")


def _importance_sampling(inputs: LossInputs) -> LossValue:
    """-sum of w x r x A.

    Source:
        Policy gradient, corrected for the sampler having been some steps behind: the surrogate of
        Schulman et al. 2017 (arXiv:1707.06347), eq. 6.
    """
    ratio = (inputs.logprobs - inputs.sampled_logprobs).exp()
    return _sum_terms(inputs, -ratio * inputs.advantages)


def _ppo(inputs: LossInputs) -> LossValue:
    """-sum of w x min(r x A, clip(r, low, high) x A).

    Source:
        Schulman et al. 2017 (arXiv:1707.06347), eq. 7; the thresholds are of the ratio itself.
    """
    log_ratio = inputs.logprobs - inputs.sampled_logprobs
    ratio = log_ratio.detach().exp()
    clipped_gain = ratio.clamp(*_get_bounds(inputs)) * inputs.advantages
    is_clipped = clipped_gain < ratio * inputs.advantages
    # Before exp(): a ratio that overflows has a nan gradient, also where it is not chosen.
    free_ratio = log_ratio.masked_fill(is_clipped, 0.0).exp()
    gain = torch.where(is_clipped, clipped_gain, free_ratio * inputs.advantages)
    return _sum_terms(inputs, -gain, {"clip_fraction": is_clipped})


def _cispo(inputs: LossInputs) -> LossValue:
    """-sum of w x sg(clip(r, low, high)) x logprob x A; sg lets no gradient through.

    Source:
        MiniMax-M1 2025 (arXiv:2506.13585), eq. 4 and 5: a clipped token still learns.
    """
    low, high = _get_bounds(inputs)
    ratio = (inputs.logprobs - inputs.sampled_logprobs).detach().exp()
    terms = -ratio.clamp(low, high) * inputs.logprobs * inputs.advantages
    return _sum_terms(inputs, terms, {"clip_fraction": (ratio < low) | (ratio > high)})


def _dro(inputs: LossInputs) -> LossValue:
    """-sum of w x (logprob x A - beta / 2 x (logprob - sampled logprob)^2).

    Source:
        Direct reward optimisation, Richemond et al. 2024 (arXiv:2405.19107), with the advantage
        in the place of reward minus value.
    """
    log_ratio = inputs.logprobs - inputs.sampled_logprobs
    pull = 0.5 * inputs.settings["beta"] * log_ratio.square()
    return _sum_terms(inputs, pull - inputs.logprobs * inputs.advantages)


def _get_bounds(inputs: LossInputs) -> tuple[float, float]:
    low, high = _BOUNDS
    return inputs.settings[low], inputs.settings[high]


def _sum_terms(
    inputs: LossInputs, terms: Tensor, claims: Mapping[str, Tensor] | None = None
) -> LossValue:
    """Weigh and add up (N,) terms; the metrics count each position once, whatever its weight."""
    losses = inputs.sum_by_row(inputs.weights * terms)
    log_ratio = (inputs.logprobs - inputs.sampled_logprobs).detach()
    values = {"ratio_mean": log_ratio.exp(), "kl_sample": -log_ratio, **(claims or {})}
    return LossValue(
        losses,
        {name: inputs.sum_by_row(value.to(log_ratio.dtype)) for name, value in values.items()},
        inputs.sum_by_row(torch.ones_like(log_ratio)),
    )


IMPORTANCE_SAMPLING = Loss(_importance_sampling, needs=_NEEDS)
PPO = Loss(
    _ppo,
    settings={"clip_low_threshold": Setting(0.8), "clip_high_threshold": Setting(1.2)},
    bounds=_BOUNDS,
    needs=_NEEDS,
)
CISPO = Loss(
    _cispo,
    settings={"clip_low_threshold": Setting(0.0), "clip_high_threshold": Setting(4.0)},
    bounds=_BOUNDS,
    needs=_NEEDS,
)
DRO = Loss(_dro, settings={"beta": Setting(None)}, needs=_NEEDS)
