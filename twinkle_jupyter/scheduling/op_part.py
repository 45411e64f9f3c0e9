"""An op in parts: micro-batches stay short while others are at work, however large an op is.

Rows are summed over, so it does not matter which of them are computed together. Nobody but the
trainer sees a part: an op's gradient and its answer are there when the last one is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import ForwardBackward

#: Losses that compare neighbouring rows, with how many; the rows of all others stand alone.
ROWS_PER_UNIT: Mapping[str, int] = MappingProxyType({"dpo": 2})


@dataclass(frozen=True, slots=True)
class OpPart:
    """Rows of an op that one micro-batch takes, in order; an op's first part begins it anew."""

    op: ForwardBackward
    start: int
    stop: int

    @property
    def adapter_id(self) -> AdapterId:
        """Whose the op is."""
        return self.op.adapter_id

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the op."""
        return self.start == 0 and self.is_last

    @property
    def is_last(self) -> bool:
        """Whether the op is answered with it."""
        return self.stop == len(self.op.examples)

    @property
    def as_op(self) -> ForwardBackward:
        """The part's rows as an op of their own."""
        if self.is_whole:
            return self.op
        return replace(self.op, examples=self.op.examples[self.start : self.stop])

    @property
    def num_tokens(self) -> int:
        """Positions that go through the base model; rows are packed, not padded."""
        return sum(example.num_tokens for example in self.op.examples[self.start : self.stop])


@dataclass(frozen=True, slots=True)
class PartDone:
    """What comes of a part that is not its op's last."""

    #: Rows of the op that are computed by now.
    num_rows: int


def whole(op: ForwardBackward) -> OpPart:
    """Return the op in one part."""
    return OpPart(op, 0, len(op.examples))


def rows_per_unit(op: ForwardBackward) -> int:
    """Return how many neighbouring rows of the op stay together."""
    return ROWS_PER_UNIT.get(op.loss, 1)


def unit_tokens(op: ForwardBackward) -> tuple[int, ...]:
    """Return the tokens of each unit: of a row, or of the rows that its loss compares."""
    width = rows_per_unit(op)
    sizes = [example.num_tokens for example in op.examples]
    return tuple(sum(sizes[at : at + width]) for at in range(0, len(sizes), width))


def part_after(op: ForwardBackward, num_rows: int, num_units: int) -> OpPart:
    """Return the part of so many units that comes after these rows."""
    stop = num_rows + num_units * rows_per_unit(op)
    return OpPart(op, num_rows, min(stop, len(op.examples)))


def first_units(sizes: Sequence[int], about: int) -> int:
    """Return how many units the next part takes, at least one, so that parts are of like size.

    Args:
        sizes: Tokens of each unit that is left.
        about: Tokens of a part; it has half as many more at most, beside what one unit adds.
    """
    total = sum(sizes)
    target = total / max(1, round(total / about))
    taken = 0
    for number, size in enumerate(sizes):
        if number and taken + size / 2 > target:
            return number
        taken += size
    return len(sizes)
