"""Adapters of one shape, as they are read fastest by one token each.

Matrices lie the other way round than they are trained, and B with the adapter's scale in it. A
token that multiplies one sums up its rows, each by a factor of its own. That is also what a bag of
embeddings is: in bf16 on a processor, where a batched matmul copies each matrix first, bags take
half as long for a few tokens (docs/experiments.md).

The slots in use are always the first ones: an adapter that leaves is replaced by the last.
Capacity doubles and halves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from twinkle_jupyter.engine.adapter_layout import AdapterLayout

#: Stacks that are remembered, since their views take as long to make as to multiply with.
_MAX_STACKS = 32


class Stack(NamedTuple):
    """Matrices of k neighbours, as a batched matmul wants them; k may be one."""

    #: By group of m linear layers, (k, I, m x R).
    downs: tuple[Tensor, ...]
    #: By group, then by layer, (k, R, O).
    ups: tuple[tuple[Tensor, ...], ...]


class TablePart(NamedTuple):
    """What tables have beside one group of the base model's linear layers."""

    #: Of the layout's group.
    number: int
    #: By site of the base model's group: its place in the layout's; None where it has no matrices.
    places: tuple[int | None, ...]


class AdapterTables:
    """Storage of the adapter versions of one shape; how many there are is for others to know.

    Args:
        layout: Of each of them.
        base_groups: Site indexes of every group of the base model.
        dtype: What they are kept in.
        device: Where they are kept.
    """

    def __init__(
        self,
        layout: AdapterLayout,
        base_groups: Sequence[tuple[int, ...]],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.layout = layout
        #: Adapters that there is room for.
        self.capacity = 1
        #: Up to so many tokens of an adapter bags are faster than a batched matmul.
        self.most_gathered = 8 if dtype == torch.bfloat16 and device.type == "cpu" else 0
        self.rank = layout.rank
        #: One entry a group of the base model; None where an adapter has no matrices.
        self.parts = tuple(_find_part(layout, sites) for sites in base_groups)
        groups = [[layout.sites[index] for index in group.site_indexes] for group in layout.groups]

        def make(num_rows: int, width: int) -> Tensor:
            return torch.zeros((num_rows, width), dtype=dtype, device=device)

        #: By group of m linear layers, A of all of them: (S x I, m x R).
        self.downs = [make(sites[0].in_features, len(sites) * self.rank) for sites in groups]
        #: By group, then by layer, B times the scale: (S x R, O).
        self.ups = [tuple(make(self.rank, site.out_features) for site in sites) for sites in groups]
        self._stacks: dict[range, Stack] = {}

    @property
    def size_bytes(self) -> int:
        """Bytes of all slots, those that are free included."""
        return sum(table.nbytes for table in self._tables())

    def put(self, slot: int, weights: Tensor, scale: float) -> None:
        """Copy (P,) weights in the layout's order in; the slot may be one beyond the last."""
        if slot >= self.capacity:
            self._resize(2 * self.capacity)
        for group, down, ups in zip(self.layout.groups, self.downs, self.ups, strict=True):
            self._turn(weights[group.down_offset :], slot, down)
            for offset, up in zip(group.up_offsets, ups, strict=True):
                self._turn(weights[offset:], slot, up).mul_(scale)

    def stack(self, slots: range) -> Stack:
        """Return the matrices of neighbours, without a copy; good until the capacity changes."""
        if slots not in self._stacks:
            if len(self._stacks) == _MAX_STACKS:
                self._stacks.clear()

            def cut(table: Tensor) -> Tensor:
                matrices = table.view(self.capacity, -1, table.shape[1])
                return matrices[slots.start : slots.stop]

            downs, ups = map(cut, self.downs), (tuple(map(cut, tables)) for tables in self.ups)
            self._stacks[slots] = Stack(tuple(downs), tuple(ups))
        return self._stacks[slots]

    def move(self, source: int, target: int) -> None:
        """Let one adapter take another's slot."""
        for table in self._tables():
            matrices = table.view(self.capacity, -1)
            matrices[target].copy_(matrices[source])

    def shrink_to(self, num_adapters: int) -> None:
        """Give back memory if most of it is free."""
        if 0 < 4 * num_adapters <= self.capacity:
            self._resize(2 * num_adapters)

    def _turn(self, flat: Tensor, slot: int, table: Tensor) -> Tensor:
        """Fill a slot with the matrix that `flat` begins with, transposed; return it."""
        turned = table.view(self.capacity, -1, table.shape[1])[slot]
        return turned.copy_(flat[: turned.numel()].view(table.shape[1], -1).t())

    def _tables(self) -> Iterator[Tensor]:
        return chain(self.downs, chain.from_iterable(self.ups))

    def _resize(self, capacity: int) -> None:
        kept = min(capacity, self.capacity)

        def resize(table: Tensor) -> Tensor:
            num_rows = table.shape[0] // self.capacity
            resized = table.new_zeros((capacity * num_rows, table.shape[1]))
            resized[: kept * num_rows].copy_(table[: kept * num_rows])
            return resized

        downs = list(map(resize, self.downs))
        ups = [tuple(map(resize, tables)) for tables in self.ups]
        self.downs, self.ups, self.capacity = downs, ups, capacity
        self._stacks.clear()


def _find_part(layout: AdapterLayout, sites: tuple[int, ...]) -> TablePart | None:
    found = [layout.place_of.get(index) for index in sites]
    numbers = {place[0] for place in found if place is not None}
    if not numbers:
        return None
    (number,) = numbers
    return TablePart(number, tuple(None if place is None else place[1] for place in found))
