"""The adapter versions of the answers under way, each in a table of its shape.

A version is copied in when its first answer begins. After its last it stays for the next one, until
others want its place or what answers nothing takes too much memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.sampler.adapter_tables import AdapterTables
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter


@dataclass(slots=True, eq=False)
class TablePlace:
    """Where a version is, for as long as it answers."""

    tables: AdapterTables
    place: int
    num_answers: int = 0


#: Of versions that answer nothing.
_MAX_IDLE_BYTES = 2**28


class StackedAdapters:
    """Places for versions, whoever's they are.

    Args:
        sites: The wrapped layers of the base model.
        base_groups: Indexes of every group of them.
        dtype: What they are computed in.
        device: Where it is.
    """

    def __init__(
        self,
        sites: tuple[LinearSite, ...],
        base_groups: Sequence[tuple[int, ...]],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._sites = sites
        self._base_groups = base_groups
        self._dtype = dtype
        self._device = device
        self._tables: dict[AdapterLayout, AdapterTables] = {}
        #: Who is in them, place by place.
        self._held: dict[AdapterTables, list[HeldAdapter]] = {}
        self._places: dict[HeldAdapter, TablePlace] = {}
        #: Those that answer nothing, the longest idle first.
        self._idle: dict[HeldAdapter, None] = {}

    def __len__(self) -> int:
        """Versions that are answering."""
        return len(self._places) - len(self._idle)

    @property
    def size_bytes(self) -> int:
        """Bytes of all tables; may be asked for from another thread."""
        return sum(tables.size_bytes for tables in list(self._tables.values()))

    def enter(self, held: HeldAdapter) -> None:
        """Tell that one more of its answers is under way."""
        if held not in self._places:
            self._places[held] = self._copy_in(held)
        self._idle.pop(held, None)
        self._places[held].num_answers += 1

    def find(self, held: HeldAdapter) -> TablePlace:
        """Return the place of a version that has entered."""
        return self._places[held]

    def leave(self, held: HeldAdapter) -> None:
        """Tell that one of its answers is over."""
        own = self._places[held]
        own.num_answers -= 1
        if own.num_answers:
            return
        self._idle[held] = None
        while sum(idle.size_bytes for idle in self._idle) > _MAX_IDLE_BYTES:
            self._remove(next(iter(self._idle)))

    def _remove(self, held: HeldAdapter) -> None:
        """Let one that answers nothing go; the last of its table takes its place."""
        del self._idle[held]
        own = self._places.pop(held)
        members = self._held[own.tables]
        last = members.pop()
        if last is not held:
            own.tables.move(len(members), own.place)
            members[own.place] = last
            self._places[last].place = own.place
        if members:
            own.tables.shrink_to(len(members))
        else:
            del self._held[own.tables], self._tables[own.tables.layout]

    def _copy_in(self, held: HeldAdapter) -> TablePlace:
        layout = AdapterLayout.of(self._sites, held.spec)
        tables = self._tables.get(layout)
        if tables is None:
            tables = AdapterTables(layout, self._base_groups, self._dtype, self._device)
            self._tables[layout] = tables
            self._held[tables] = []
        members = self._held[tables]
        place = len(members)
        if place == tables.capacity:
            idle = next((one for one in self._idle if self._places[one].tables is tables), None)
            if idle is not None:
                del self._idle[idle]
                place = self._places.pop(idle).place
        tables.put(place, held.weights, held.spec.scale)
        members[place : place + 1] = [held]
        return TablePlace(tables, place)
