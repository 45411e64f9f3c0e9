"""Forward and backward of many adapters' examples over one frozen base model.

Each op gets its own sums; gradients are added to the slots they belong to. Which ops may share a
pass, and what becomes of one that fails, is `step`'s to say.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from twinkle_jupyter.engine.adapter_bank import AdapterSlot
from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.engine.losses import LOSSES
from twinkle_jupyter.engine.losses.row_losses import RowLosses, compute_row_losses
from twinkle_jupyter.engine.micro_batch import (
    BatchRow,
    MicroBatch,
    build_micro_batch,
    split_rows,
)
from twinkle_jupyter.engine.training_model import TrainingModel
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import ForwardBackward


@dataclass(slots=True)
class OpSums:
    """What is added up for one op over the micro-batches that its rows are in."""

    loss: float
    #: One list an example, (T,).
    logprobs: list[list[float]]
    #: By name: a sum, and how many numbers are in it.
    metric_sums: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """The mean of each metric; one that is not a finite number is left out."""
        means = {name: total / count for name, (total, count) in self.metric_sums.items()}
        return {name: mean for name, mean in means.items() if math.isfinite(mean)}

    def add_metric(self, name: str, total: float, count: float) -> None:
        """Add the sum of `count` numbers; nothing when there are none."""
        if count:
            before_total, before_count = self.metric_sums.get(name, (0.0, 0.0))
            self.metric_sums[name] = (before_total + total, before_count + count)

    def followed_by(self, later: OpSums) -> OpSums:
        """Return the sums of both, the later one's examples last."""
        both = OpSums(self.loss + later.loss, [*self.logprobs, *later.logprobs])
        for sums in (self, later):
            for name, (total, count) in sums.metric_sums.items():
                both.add_metric(name, total, count)
        return both

    @property
    def is_finite(self) -> bool:
        """Whether no number was lost on the way."""
        return math.isfinite(self.loss) and all(
            math.isfinite(value) for row in self.logprobs for value in row
        )


@dataclass(slots=True)
class PassSums:
    """What a pass gives: one sum an op, in their order, and where the time went."""

    ops: list[OpSums]
    forward_seconds: float = 0.0
    backward_seconds: float = 0.0


class FusedPass:
    """Forward and backward of all rows that fit under the token budget together.

    Args:
        base: Its linear layers get adapters; it trains here alone from now on.
        token_budget: Positions of one micro-batch at most; more are split.
        checkpoints: Compute activations twice instead of keeping them.
    """

    def __init__(self, base: BaseModel, token_budget: int, *, checkpoints: bool = False) -> None:
        self._base = base
        self._model = TrainingModel(base)
        self._checkpoints = checkpoints
        #: May be changed between two passes.
        self.token_budget = token_budget

    @property
    def sites(self) -> tuple[LinearSite, ...]:
        """The linear layers that adapters are on."""
        return self._model.sites

    @property
    def is_packed(self) -> bool:
        """Whether rows are packed, in decoder layers that were taken over."""
        return self._model.is_packed

    def count_passes(self, ops: Sequence[ForwardBackward]) -> int:
        """Return how many micro-batches `compute` would make."""
        return len(self._split(ops))

    def compute(
        self,
        ops: Sequence[ForwardBackward],
        slots: Mapping[AdapterId, AdapterSlot],
        *,
        is_training: bool,
    ) -> PassSums:
        """Add every op's gradient to its slot's."""
        sums = PassSums(
            [OpSums(0.0, [[0.0] * example.num_tokens for example in op.examples]) for op in ops]
        )
        for part in self._split(ops, _order_by_stack(ops, slots)):
            started = time.perf_counter()
            batch = build_micro_batch(
                part, self._base.master_dtype, self._base.device, is_packed=self._model.is_packed
            )
            with torch.set_grad_enabled(is_training):
                logprobs = self._model.compute_logprobs(
                    batch, _find_owners(batch, ops, slots), checkpoints=self._checkpoints
                )
                row_losses = compute_row_losses(batch, logprobs, ops)
            _add_up(batch, logprobs, row_losses, sums.ops)
            sums.forward_seconds += time.perf_counter() - started
            if is_training:
                started = time.perf_counter()
                row_losses.losses.sum().backward()  # type: ignore[no-untyped-call]
                sums.backward_seconds += time.perf_counter() - started
        return sums

    def _split(
        self, ops: Sequence[ForwardBackward], order: Sequence[int] | None = None
    ) -> list[list[BatchRow]]:
        """Put the ops' rows into parts, the ops in this order."""
        units = []
        for op_index in order if order is not None else range(len(ops)):
            op = ops[op_index]
            rows = [
                BatchRow(example, op_index, index, op.scores_all)
                for index, example in enumerate(op.examples)
            ]
            size = LOSSES[op.loss].rows_per_unit
            for start in range(0, len(rows), size):
                unit = rows[start : start + size]
                if op.scores_all or any(row.example.num_supervised for row in unit):
                    units.append(unit)
        return split_rows(units, self.token_budget, is_packed=self._model.is_packed)


def _order_by_stack(
    ops: Sequence[ForwardBackward], slots: Mapping[AdapterId, AdapterSlot]
) -> list[int]:
    """Return the ops' indexes so that neighbours in a stack are neighbours in the batch."""

    def place(index: int) -> tuple[int, tuple[str, ...], int, int]:
        slot = slots[ops[index].adapter_id]
        return (slot.layout.rank, slot.layout.targets, slot.layout.first_layer, slot.row)

    return sorted(range(len(ops)), key=place)


def _find_owners(
    batch: MicroBatch,
    ops: Sequence[ForwardBackward],
    slots: Mapping[AdapterId, AdapterSlot],
) -> list[tuple[AdapterSlot, int]]:
    """Return the adapters in the batch's order, each with its number of positions."""
    counts: dict[AdapterId, int] = {}
    for row, num_added in zip(batch.rows, batch.num_added, strict=True):
        adapter_id = ops[row.op_index].adapter_id
        counts[adapter_id] = counts.get(adapter_id, 0) + num_added
    return [(slots[adapter_id], count) for adapter_id, count in counts.items()]


def _add_up(batch: MicroBatch, logprobs: Tensor, row_losses: RowLosses, sums: list[OpSums]) -> None:
    for row, loss in zip(batch.rows, row_losses.losses.tolist(), strict=True):
        sums[row.op_index].loss += loss
    for name, by_row in row_losses.metrics.items():
        for row, total, count in zip(batch.rows, *by_row.tolist(), strict=True):
            sums[row.op_index].add_metric(name, total, count)
    positions = zip(batch.position_rows.tolist(), batch.places, logprobs.tolist(), strict=True)
    for row_index, place, logprob in positions:
        row = batch.rows[row_index]
        sums[row.op_index].logprobs[row.example_index][place] = logprob
