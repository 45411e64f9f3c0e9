"""Keys and values of what answers have read, in slabs of one size.

A slab is cut into rows of one capacity, a power of two; an answer that outgrows its row moves to a
longer one. So rows of like length lie side by side, and attention reads many of them in one call
and in place: no gathering of pages, and beyond the smallest rows less than half is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twinkle_jupyter.engine.op_failures import is_out_of_memory
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter

#: Tokens of one slab; a longer row has a slab to itself.
SLAB_TOKENS = 2048
_SMALLEST_ROW = 128


@dataclass(frozen=True, slots=True)
class KvShape:
    """What one token leaves behind in a base model."""

    num_layers: int
    #: Numbers of a key, and of a value, over all heads of a layer.
    width: int
    dtype: torch.dtype
    device: torch.device

    @property
    def bytes_per_token(self) -> int:
        """Of keys and values in all layers."""
        return 2 * self.num_layers * self.width * self.dtype.itemsize


class Slab:
    """Rows of one capacity.

    Args:
        capacity: Tokens of a row.
        shape: Of the base model.
    """

    def __init__(self, capacity: int, shape: KvShape) -> None:
        self.capacity = capacity
        num_rows = max(1, SLAB_TOKENS // capacity)
        #: Who is where; None is free.
        self.rows: list[CacheRow | None] = [None] * num_rows
        #: (rows, layers, 2, capacity, width): keys, then values.
        self.data = torch.empty(
            (num_rows, shape.num_layers, 2, capacity, shape.width),
            dtype=shape.dtype,
            device=shape.device,
        )

    @property
    def is_empty(self) -> bool:
        """Whether no row is taken."""
        return all(row is None for row in self.rows)

    def take(self, row: CacheRow) -> bool:
        """Give `row` the first free place; False when there is none."""
        for index, owner in enumerate(self.rows):
            if owner is None:
                # Neighbours are read to one length: what is masked must be a number, nobody else's.
                if len(self.rows) > 1:
                    self.data[index].zero_()
                self.rows[index] = row
                row.slab, row.index = self, index
                return True
        return False


@dataclass(slots=True, eq=False)
class CacheRow:
    """What one answer has read."""

    #: Whose weights read it; None is the base model.
    adapter: HeldAdapter | None = None
    #: Tokens whose keys and values are there.
    length: int = 0
    slab: Slab | None = None
    index: int = 0

    @property
    def place(self) -> Slab:
        """The slab that the row is in."""
        assert self.slab is not None, "grown before it is read"  # noqa: S101
        return self.slab

    @property
    def data(self) -> Tensor:
        """(layers, 2, capacity, width), the row itself."""
        return self.place.data[self.index]


class KvSlabs:
    """All slabs of one base model.

    Args:
        shape: Of the base model.
        max_bytes: Of all slabs.
        max_positions: Longest row; None for any.
    """

    def __init__(self, shape: KvShape, max_bytes: int, max_positions: int | None) -> None:
        self.shape = shape
        self._max_bytes = max_bytes
        self._max_positions = max_positions
        self._slabs: list[Slab] = []

    @property
    def size_bytes(self) -> int:
        """Bytes of all slabs, empty ones included; may be asked for from another thread."""
        return sum(slab.data.nbytes for slab in list(self._slabs))

    @property
    def num_rows(self) -> int:
        """Rows that are taken."""
        return sum(row is not None for slab in self._slabs for row in slab.rows)

    @property
    def max_length(self) -> int:
        """Tokens of the longest row that could be had if there were no other."""
        longest, capacity, before = 0, _SMALLEST_ROW, 0
        # The shorter one is still there while a row moves.
        while before + self._slab_bytes(capacity) <= self._max_bytes and capacity > longest:
            longest, before = capacity, self._slab_bytes(capacity)
            capacity = self._capacity_for(2 * capacity)
        return longest

    def grow(self, row: CacheRow, length: int) -> bool:
        """See that so many tokens fit into the row; False when there is no memory left."""
        old, old_index = row.slab, row.index
        if old is not None and old.capacity >= length:
            return True
        if not self._place(row, self._capacity_for(length)):
            return False
        if old is not None:
            kept = old.data[old_index, :, :, : row.length]
            row.data[:, :, : row.length].copy_(kept)
            old.rows[old_index] = None
        return True

    def release(self, row: CacheRow) -> None:
        """Free the row; releasing it again changes nothing."""
        if row.slab is not None:
            row.slab.rows[row.index] = None
        row.slab, row.length = None, 0

    def _place(self, row: CacheRow, capacity: int) -> bool:
        for slab in self._slabs:
            if slab.capacity == capacity and slab.take(row):
                return True
        if not self._make_room(self._slab_bytes(capacity)):
            return False
        try:
            slab = Slab(capacity, self.shape)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False  # less than was reckoned with
        self._slabs.append(slab)
        return slab.take(row)

    def _make_room(self, num_bytes: int) -> bool:
        """Drop empty slabs until so many bytes may be added; False when that is not enough."""
        for slab in list(self._slabs):
            if self.size_bytes + num_bytes <= self._max_bytes:
                return True
            if slab.is_empty:
                self._slabs.remove(slab)
        return self.size_bytes + num_bytes <= self._max_bytes

    def _slab_bytes(self, capacity: int) -> int:
        return max(SLAB_TOKENS, capacity) * self.shape.bytes_per_token

    def _capacity_for(self, length: int) -> int:
        capacity = max(_SMALLEST_ROW, 1 << (length - 1).bit_length())
        if self._max_positions is not None and capacity > SLAB_TOKENS:
            capacity = min(capacity, self._max_positions)
        return capacity
