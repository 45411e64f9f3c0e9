"""The adapter versions of the answers under way, each in the tables of its shape.

A version is copied in when its first answer begins. After its last it stays for the next one, until
others want its slot or what answers nothing takes too much memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.sampler.adapter_tables import AdapterTables
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter

#: Of versions that answer nothing.
_MAX_IDLE_BYTES = 2**28


@dataclass(slots=True, eq=False)
class TableSlot:
    """Where a version is; its weights themselves are not held by it."""

    tables: AdapterTables
    slot: int
    num_answers: int = 0


class AnsweringAdapters:
    """Slots for versions, whoever's they are.

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
        #: Who is in them, slot by slot; this and the next two by a version's own number.
        self._members: dict[AdapterTables, list[int]] = {}
        self._slots: dict[int, TableSlot] = {}
        #: Bytes of those that answer nothing, the longest idle first.
        self._idle: dict[int, int] = {}

    def __len__(self) -> int:
        """Versions that are answering."""
        return len(self._slots) - len(self._idle)

    @property
    def size_bytes(self) -> int:
        """Bytes of all tables; may be asked for from another thread."""
        return sum(tables.size_bytes for tables in list(self._tables.values()))

    def enter(self, held: HeldAdapter) -> None:
        """Tell that one more of its answers is under way."""
        if held.number not in self._slots:
            self._slots[held.number] = self._copy_in(held)
        self._idle.pop(held.number, None)
        self._slots[held.number].num_answers += 1

    def find(self, held: HeldAdapter) -> TableSlot:
        """Return the slot of a version that has entered."""
        return self._slots[held.number]

    def leave(self, held: HeldAdapter) -> None:
        """Tell that one of its answers is over."""
        own = self._slots[held.number]
        own.num_answers -= 1
        if own.num_answers:
            return
        self._idle[held.number] = held.size_bytes
        while sum(self._idle.values()) > _MAX_IDLE_BYTES:
            self._remove(next(iter(self._idle)))

    def _remove(self, number: int) -> None:
        """Let one that answers nothing go; the last of its tables takes its slot."""
        del self._idle[number]
        own = self._slots.pop(number)
        members = self._members[own.tables]
        last = members.pop()
        if last != number:
            own.tables.move(len(members), own.slot)
            members[own.slot] = last
            self._slots[last].slot = own.slot
        if members:
            own.tables.shrink_to(len(members))
        else:
            del self._members[own.tables], self._tables[own.tables.layout]

    def _copy_in(self, held: HeldAdapter) -> TableSlot:
        layout = AdapterLayout.of(self._sites, held.spec)
        tables = self._tables.get(layout)
        if tables is None:
            tables = AdapterTables(layout, self._base_groups, self._dtype, self._device)
            self._tables[layout] = tables
            self._members[tables] = []
        members = self._members[tables]
        slot = len(members)
        if slot == tables.capacity:
            idle = next((one for one in self._idle if self._slots[one].tables is tables), None)
            if idle is not None:
                del self._idle[idle]
                slot = self._slots.pop(idle).slot
        tables.put(slot, held.weights, held.spec.scale)
        members[slot : slot + 1] = [held.number]
        return TableSlot(tables, slot)
