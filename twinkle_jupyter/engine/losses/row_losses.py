"""The losses of one micro-batch's rows, each by the loss and the settings of its own op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twinkle_jupyter.engine.losses import LOSSES
from twinkle_jupyter.engine.losses.definition import Loss, LossInputs, LossValue
from twinkle_jupyter.engine.micro_batch import BatchRow, MicroBatch
from twinkle_jupyter.scheduling.request import ForwardBackward


@dataclass(frozen=True, slots=True, eq=False)
class RowLosses:
    """What each of B rows costs, and what its loss says beside that."""

    #: (B,) with gradient.
    losses: Tensor
    #: By name, (2, B): a sum over the row, and how many numbers are in it; without gradient.
    metrics: Mapping[str, Tensor]


def compute_row_losses(
    batch: MicroBatch, logprobs: Tensor, ops: Sequence[ForwardBackward]
) -> RowLosses:
    """Compute every row's loss; rows of one loss and like settings are computed at once.

    A row's loss and the gradient of its positions depend on its own unit alone, nan included.

    Args:
        batch: Its rows' `op_index` points into `ops`; the rows of a unit are all in it.
        logprobs: (N,) log-probability of each target, natural log, with gradient.
        ops: What is computed together.
    """
    groups: dict[tuple[str, tuple[tuple[str, float], ...]], list[int]] = {}
    for index, row in enumerate(batch.rows):
        op = ops[row.op_index]
        groups.setdefault((op.loss, tuple(sorted(op.loss_settings.items()))), []).append(index)
    losses = logprobs.new_zeros(len(batch.rows))
    metrics: dict[str, Tensor] = {}
    for (name, settings), own in groups.items():
        value = _compute_group(batch, logprobs, own, LOSSES[name], dict(settings))
        # What is not a group's own is 0, so that they add up without touching each other.
        losses = losses + value.losses
        if value.metric_counts is not None:
            for metric, sums in value.metric_sums.items():
                pair = torch.stack([sums, value.metric_counts])
                metrics[metric] = metrics[metric] + pair if metric in metrics else pair
    return RowLosses(losses, metrics)


def _compute_group(
    batch: MicroBatch,
    logprobs: Tensor,
    own: Sequence[int],
    loss: Loss,
    settings: Mapping[str, float],
) -> LossValue:
    """Compute the loss of these rows from their own supervised positions; others answer 0."""
    tensors: tuple[Tensor, ...] = (
        logprobs,
        batch.weights,
        batch.position_rows,
        batch.advantages,
        batch.sampled_logprobs,
    )
    if len(own) < len(batch.rows) or any(batch.rows[index].scores_all for index in own):
        is_own = torch.zeros(len(batch.rows), dtype=torch.bool)
        is_own[list(own)] = True
        is_chosen = is_own.to(logprobs.device)[batch.position_rows] & (batch.weights != 0)
        chosen = is_chosen.nonzero()[:, 0]
        tensors = tuple(tensor[chosen] for tensor in tensors)
    values, weights, rows, advantages, sampled_logprobs = tensors
    return loss.compute(
        LossInputs(
            logprobs=values,
            weights=weights,
            rows=rows,
            num_rows=len(batch.rows),
            units=_collect_units(batch.rows, own, loss.rows_per_unit),
            settings=loss.complete_settings(settings),
            advantages=advantages,
            sampled_logprobs=sampled_logprobs,
        )
    )


def _collect_units(
    rows: Sequence[BatchRow], own: Sequence[int], rows_per_unit: int
) -> tuple[tuple[int, ...], ...]:
    units: dict[tuple[int, int], list[int]] = {}
    for index in sorted(own, key=lambda index: rows[index].example_index):
        row = rows[index]
        units.setdefault((row.op_index, row.example_index // rows_per_unit), []).append(index)
    return tuple(map(tuple, units.values()))
