"""The adapters of one pass beside the frozen layers, forward only.

An adapter's matrices are read once for all of its tokens, and neighbours with as many tokens share
a batched matmul. Where that is slow for few tokens (`adapter_tables`), each gathers the rows of its
own matrices instead, and all of them share a call, whichever adapters they have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from twinkle_jupyter.engine.batch_adapters import Mids
from twinkle_jupyter.engine.compute_dtype import convert_like
from twinkle_jupyter.sampler.adapter_tables import AdapterTables


class Owner(NamedTuple):
    """Neighbouring tokens, and where the matrices are that they go through."""

    tables: AdapterTables
    slot: int
    num_tokens: int

    @property
    def is_gathered(self) -> bool:
        """Whether each token gathers the rows of its matrices."""
        return self.num_tokens <= self.tables.most_gathered


class PassAdapters:
    """Adapters and the tokens they own.

    Args:
        owners: In the tokens' order; those that can share a call had best be neighbours.
    """

    def __init__(self, owners: Sequence[Owner]) -> None:
        self._runs = tuple(_find_runs(owners))

    def project(self, group: int, x: Tensor) -> Mids:
        """Map the group's input (T, I) into every adapter's ranks."""
        mids: Mids = []
        for run in self._runs:
            part = run.tables.parts[group]
            mids.append(None if part is None else run.project(part.number, x))
        return mids

    def add_deltas(self, group: int, mids: Mids, outs: Sequence[Tensor]) -> None:
        """Add what the adapters say to each site's output (T, O), in place."""
        for run, mid in zip(self._runs, mids, strict=True):
            part = run.tables.parts[group]
            if part is None or mid is None:
                continue
            for place, out in zip(part.places, outs, strict=True):
                if place is not None:
                    run.add_delta(part.number, place, mid, out)


class _Run(Protocol):
    """Neighbouring tokens whose adapters are of one shape."""

    tables: AdapterTables

    def project(self, number: int, x: Tensor) -> Tensor:
        """Map (T, I) into the ranks of a group of the tables."""
        ...

    def add_delta(self, number: int, place: int, mid: Tensor, out: Tensor) -> None:
        """Add to a site's output (T, O), in place."""
        ...


class _Gathered:
    """k tokens, each with the adapter of some slot."""

    def __init__(self, start: int, tables: AdapterTables, slots: Sequence[int]) -> None:
        self.tables = tables
        self._start = start
        self._slots = torch.tensor(slots, dtype=torch.int32)
        #: By how many rows a matrix has: which rows of the table, and where each token's begin.
        self._bags: dict[int, tuple[Tensor, Tensor]] = {}

    def project(self, number: int, x: Tensor) -> Tensor:
        """Return (m, k x R)."""
        table = self.tables.downs[number]
        x = _cut(x, self._start, len(self._slots))
        mid = self._gather(table, convert_like(x, table).reshape(-1), x.shape[1])
        if mid.shape[1] == self.tables.rank:
            return mid.view(1, -1)
        return mid.view(len(mid), -1, self.tables.rank).transpose(0, 1).flatten(1)

    def add_delta(self, number: int, place: int, mid: Tensor, out: Tensor) -> None:
        delta = self._gather(self.tables.ups[number][place], mid[place], self.tables.rank)
        _cut(out, self._start, len(delta)).add_(delta)

    def _gather(self, table: Tensor, factors: Tensor, num_rows: int) -> Tensor:
        """Return (k, W): each token's sum of its own rows of the table, by its own factors."""
        if num_rows not in self._bags:
            steps = torch.arange(num_rows, dtype=torch.int32)
            rows = (self._slots[:, None] * num_rows + steps).view(-1)
            self._bags[num_rows] = rows, torch.arange(0, len(rows), num_rows, dtype=torch.int32)
        rows, starts = self._bags[num_rows]
        bags: Tensor = torch.embedding_bag(table, rows, starts, per_sample_weights=factors)[0]
        return bags


class _Stacked:
    """k adapters that are neighbours in their tables, n tokens each."""

    def __init__(self, start: int, tables: AdapterTables, slots: range, num_tokens: int) -> None:
        self.tables = tables
        self._start = start
        self._num_adapters = len(slots)
        self._num_tokens = num_tokens
        self._stack = tables.stack(slots)

    def project(self, number: int, x: Tensor) -> Tensor:
        """Return (k, n, m x R)."""
        downs = self._stack.downs[number]
        return torch.bmm(convert_like(self._cut(x), downs), downs)

    def add_delta(self, number: int, place: int, mid: Tensor, out: Tensor) -> None:
        rank, ups = self.tables.rank, self._stack.ups[number][place]
        own = mid if mid.shape[2] == rank else mid.narrow(2, place * rank, rank)
        part = self._cut(out)
        if part.dtype == own.dtype:
            part.baddbmm_(own, ups)
        else:
            part.add_(torch.bmm(own, ups))

    def _cut(self, x: Tensor) -> Tensor:
        """Return (k, n, F) of (T, F), without a copy."""
        part = _cut(x, self._start, self._num_adapters * self._num_tokens)
        return part.view(self._num_adapters, self._num_tokens, x.shape[1])


def _cut(x: Tensor, start: int, length: int) -> Tensor:
    return x if length == len(x) else x.narrow(0, start, length)


def _find_runs(owners: Sequence[Owner]) -> Iterator[_Run]:
    start = first = 0
    for index, owner in enumerate(owners, 1):
        if index < len(owners) and _share_call(owner, owners[index]):
            continue
        members = owners[first:index]
        if owner.is_gathered:
            slots = [one.slot for one in members for _ in range(one.num_tokens)]
            yield _Gathered(start, owner.tables, slots)
        else:
            span = range(members[0].slot, owner.slot + 1)
            yield _Stacked(start, owner.tables, span, owner.num_tokens)
        start += sum(member.num_tokens for member in members)
        first = index


def _share_call(owner: Owner, following: Owner) -> bool:
    if following.tables is not owner.tables or following.is_gathered != owner.is_gathered:
        return False
    is_next = (following.slot, following.num_tokens) == (owner.slot + 1, owner.num_tokens)
    return owner.is_gathered or is_next
