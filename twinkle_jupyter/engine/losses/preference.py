"""Learning which of two answers is the better one."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by

from twinkle_jupyter.engine.losses.definition import Loss, LossInputs, LossValue, Setting
from twinkle_jupyter.scheduling.op_part import ROWS_PER_UNIT


def _dpo(inputs: LossInputs) -> LossValue:
    """Examples come in adjacent pairs: the chosen answer, then the rejected one.

    With the reward of a row = beta x sum of w x (logprob - reference logprob) and m = the chosen
    row's reward less the rejected row's, a pair costs
    -(1 - s) x log sigmoid(m) - s x log sigmoid(-m), s being `label_smoothing`, and `sft_weight` x
    sum of -w x logprob of the chosen row. It is booked in the chosen row. The reference's
    log-probabilities are in `sampled_logprobs`.

    Source:
        Rafailov et al. 2023 (arXiv:2305.18290), eq. 7; smoothing: Mitchell 2023, a note on DPO
        with noisy preferences; `sft_weight`: Pang et al. 2024 (arXiv:2404.19733), eq. 1.
    """
    smoothing = inputs.settings["label_smoothing"]
    chosen, rejected = torch.tensor(inputs.units, device=inputs.rows.device).unbind(dim=1)  # (U,)
    log_ratio = inputs.logprobs - inputs.sampled_logprobs
    rewards = inputs.settings["beta"] * inputs.sum_by_row(inputs.weights * log_ratio)  # (B,)
    margin = rewards[chosen] - rewards[rejected]  # (U,)
    costs = -(1 - smoothing) * F.logsigmoid(margin) - smoothing * F.logsigmoid(-margin)
    if inputs.settings["sft_weight"]:
        likelihood = inputs.sum_by_row(inputs.weights * inputs.logprobs)[chosen]  # (U,)
        costs = costs - inputs.settings["sft_weight"] * likelihood
    zeros = torch.zeros_like(rewards)
    metrics = {
        "accuracy": (margin > 0).to(margin.dtype),
        "reward_margin": margin.detach(),
        "chosen_reward": rewards[chosen].detach(),
        "rejected_reward": rewards[rejected].detach(),
    }
    return LossValue(
        zeros.index_add(0, chosen, costs),
        {name: zeros.detach().index_add(0, chosen, value) for name, value in metrics.items()},
        zeros.detach().index_add(0, chosen, torch.ones_like(margin).detach()),
    )


DPO = Loss(
    _dpo,
    settings={
        "beta": Setting(0.1, includes_low=False),
        "label_smoothing": Setting(0.0, high=0.5),
        "sft_weight": Setting(0.0),
    },
    needs=("sampled_logprobs",),
    rows_per_unit=ROWS_PER_UNIT["dpo"],
)
