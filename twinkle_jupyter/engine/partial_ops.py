"""Ops whose rows come in several plans: what is computed of them is kept until the last one.

Between two parts the adapter itself is as it was before the op, so whatever copies, moves or
removes an adapter meanwhile need not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from twinkle_jupyter.engine.adapter_bank import AdapterSlot
from twinkle_jupyter.engine.fused_pass import OpSums
from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.op_part import OpPart, PartDone
from twinkle_jupyter.scheduling.request import ForwardBackward, ForwardBackwardResult


@dataclass(frozen=True, slots=True)
class ComputedRows:
    """An op's first rows, or all: what its answer is made of."""

    sums: OpSums
    #: Seconds of compute, as in `ForwardBackwardResult`.
    seconds: float
    forward_seconds: float
    backward_seconds: float
    #: Passes that the rows were computed in after they did not fit into memory; else 0.
    split_into: int

    def followed_by(self, later: ComputedRows) -> ComputedRows:
        """Return both together, the later rows last."""
        return ComputedRows(
            self.sums.followed_by(later.sums),
            self.seconds + later.seconds,
            self.forward_seconds + later.forward_seconds,
            self.backward_seconds + later.backward_seconds,
            max(self.split_into, later.split_into),
        )

    def answer(self, op: ForwardBackward) -> ForwardBackwardResult:
        """Return what the op answers; these are all of its rows."""
        return ForwardBackwardResult(
            loss_sum=self.sums.loss,
            logprobs=tuple(map(tuple, self.sums.logprobs)),
            num_tokens=sum(example.num_tokens for example in op.examples),
            num_supervised=sum(example.num_supervised for example in op.examples),
            seconds=self.seconds,
            forward_seconds=self.forward_seconds,
            backward_seconds=self.backward_seconds,
            metrics=self.sums.metrics,
            split_into=self.split_into,
        )


@dataclass(frozen=True, slots=True)
class _PartialOp:
    sequence_id: int
    num_rows: int
    computed: ComputedRows


class PartialOps:
    """At most one op an adapter."""

    def __init__(self) -> None:
        self._ops: dict[AdapterId, _PartialOp] = {}
        #: (P,) each: the adapter's gradient with that of the computed rows in it.
        self._gradients: dict[AdapterId, Tensor] = {}

    @property
    def size_bytes(self) -> int:
        """Bytes of the gradients; may be asked for on any thread."""
        return sum(gradient.nbytes for gradient in list(self._gradients.values()))

    def num_rows(self, op: ForwardBackward) -> int:
        """Return how many of the op's rows are computed, with others to come; 0 for any other."""
        known = self._ops.get(op.adapter_id)
        return known.num_rows if known and known.sequence_id == op.sequence_id else 0

    def check(self, part: OpPart) -> None:
        """Refuse what does not go on where the op's last part stopped.

        Raises:
            RunFailedError: There are other rows, or none.
        """
        if part.start and self.num_rows(part.op) != part.start:
            raise RunFailedError(
                f"Op {part.op.sequence_id} of adapter {part.adapter_id!r} does not go on at row"
                f" {part.start + 1}; its gradient was left as it was before.",
                "Send the work again under the next sequence id.",
            )

    def put_back(self, slots: Mapping[AdapterId, AdapterSlot]) -> None:
        """Let the slots' gradients have the computed rows in them."""
        for adapter_id in slots.keys() & self._gradients.keys():
            slots[adapter_id].set_gradient(self._gradients[adapter_id])

    def hold(self, gradients: Mapping[AdapterId, Tensor]) -> None:
        """Keep these gradients, which have all rows in them that are computed by now."""
        self._gradients.update(gradients)

    def end_part(self, part: OpPart, rows: ComputedRows) -> ForwardBackwardResult | PartDone:
        """Count the part's rows as computed; return what comes of it."""
        earlier = self._ops.get(part.adapter_id) if part.start else None
        together = rows if earlier is None else earlier.computed.followed_by(rows)
        if part.is_last:
            return together.answer(part.op)
        self._ops[part.adapter_id] = _PartialOp(part.op.sequence_id, part.stop, together)
        return PartDone(part.stop)

    def forget_all(self) -> None:
        """Whatever goes on begins anew."""
        self._ops.clear()
        self._gradients.clear()

    def forget(self, adapter_ids: Iterable[AdapterId]) -> None:
        """These adapters' ops have ended, or begin anew."""
        for adapter_id in adapter_ids:
            self._ops.pop(adapter_id, None)
            self._gradients.pop(adapter_id, None)
