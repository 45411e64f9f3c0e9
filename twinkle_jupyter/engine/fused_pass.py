"""Forward and backward of many adapters' examples over one frozen base model.

Each op gets its own sums; gradients are added to the slots they belong to. Which ops may share a
pass, and what becomes of one that fails, is `step`'s to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor

from twinkle_jupyter.engine.adapter_bank import AdapterSlot
from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.lora_linear import ActiveAdapters, AdapterRouter
from twinkle_jupyter.engine.losses import LOSSES, LossInputs
from twinkle_jupyter.engine.micro_batch import (
    BatchRow,
    MicroBatch,
    build_micro_batch,
    split_rows,
)
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import ForwardBackward


@dataclass(slots=True)
class OpSums:
    """What is added up for one op over the micro-batches that its rows are in."""

    loss: float
    #: One list an example, (T,).
    logprobs: list[list[float]]

    @property
    def is_finite(self) -> bool:
        """Whether no number was lost on the way."""
        return math.isfinite(self.loss) and all(
            math.isfinite(value) for row in self.logprobs for value in row
        )


class FusedPass:
    """One forward and backward for all rows that fit under `token_budget` together."""

    def __init__(self, base: BaseModel, router: AdapterRouter, token_budget: int) -> None:
        self._base = base
        self._router = router
        self._token_budget = token_budget

    def compute(
        self,
        ops: Sequence[ForwardBackward],
        slots: Mapping[AdapterId, AdapterSlot],
        *,
        is_training: bool,
    ) -> list[OpSums]:
        """Add every op's gradient to its slot's; return one sum an op, in their order."""
        sums = [OpSums(0.0, [[0.0] * example.num_tokens for example in op.examples]) for op in ops]
        rows = [
            BatchRow(example, op_index, example_index)
            for op_index, op in enumerate(ops)
            for example_index, example in enumerate(op.examples)
            if example.num_supervised
        ]
        for part in split_rows(rows, self._token_budget):
            batch = build_micro_batch(part, self._base.master_dtype, self._base.device)
            with torch.set_grad_enabled(is_training):
                logprobs, row_losses = self._forward(batch, ops, slots)
                if is_training:
                    row_losses.sum().backward()  # type: ignore[no-untyped-call]
            _add_up(batch, logprobs, row_losses, sums)
        return sums

    def _forward(
        self,
        batch: MicroBatch,
        ops: Sequence[ForwardBackward],
        slots: Mapping[AdapterId, AdapterSlot],
    ) -> tuple[Tensor, Tensor]:
        """Return (N,) log-probabilities and (B,) losses."""
        owners = [ops[row.op_index].adapter_id for row in batch.rows]
        adapter_ids = list(dict.fromkeys(owners))
        active = ActiveAdapters.build(
            [(slots[key].factors, slots[key].spec.scale) for key in adapter_ids],
            [adapter_ids.index(owner) for owner in owners],
            self._base.device,
        )
        with self._router.activate(active), self._base.head_positions.select(batch.positions):
            output = self._base.model(input_ids=batch.tokens, use_cache=False)
        logits = output.logits[0].to(self._base.master_dtype)  # (N, V)
        logprobs = -F.cross_entropy(logits, batch.targets, reduction="none")
        return logprobs, _compute_row_losses(batch, logprobs, ops)


def _compute_row_losses(
    batch: MicroBatch, logprobs: Tensor, ops: Sequence[ForwardBackward]
) -> Tensor:
    """Return (B,): each row's loss by its own op's loss function."""
    names = [ops[row.op_index].loss for row in batch.rows]
    losses = logprobs.new_zeros(len(names))
    for name in dict.fromkeys(names):
        is_own = torch.tensor([other == name for other in names], device=logprobs.device)  # (B,)
        # Weight 0 elsewhere, so that another loss's rows add nothing to this one's gradient.
        weights = batch.weights.masked_fill(~is_own[batch.position_rows], 0.0)
        inputs = LossInputs(logprobs, weights, batch.position_rows, len(names))
        losses = torch.where(is_own, LOSSES[name](inputs), losses)
    return losses


def _add_up(batch: MicroBatch, logprobs: Tensor, row_losses: Tensor, sums: list[OpSums]) -> None:
    for row, loss in zip(batch.rows, row_losses.tolist(), strict=True):
        sums[row.op_index].loss += loss
    length = batch.tokens.shape[1]
    flat = zip(batch.positions.tolist(), logprobs.tolist(), strict=True)
    for position, logprob in flat:
        row = batch.rows[position // length]
        sums[row.op_index].logprobs[row.example_index][position % length] = logprob
