"""The adapter versions of the answers under way, stacked as batched matmuls want them.

A version is copied in when its first answer begins, and leaves with its last.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import torch

from twinkle_jupyter.engine.adapter_bank import AdapterSlot
from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.adapter_stack import AdapterStack
from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter


@dataclass(slots=True, eq=False)
class _Member:
    slot: AdapterSlot
    num_answers: int = 0


class StackedAdapters:
    """Rows for versions, whoever's they are.

    Args:
        sites: The wrapped layers of the base model.
        dtype: What they are computed in.
        device: Where it is.
    """

    def __init__(
        self, sites: tuple[LinearSite, ...], dtype: torch.dtype, device: torch.device
    ) -> None:
        self._sites = sites
        self._dtype = dtype
        self._device = device
        self._stacks: dict[AdapterLayout, AdapterStack] = {}
        self._members: dict[HeldAdapter, _Member] = {}
        # Versions of one adapter are different members of a stack.
        self._names: dict[AdapterId, HeldAdapter] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._members)

    @property
    def size_bytes(self) -> int:
        """Bytes of all stacks; may be asked for from another thread."""
        return sum(stack.size_bytes for stack in list(self._stacks.values()))

    def enter(self, held: HeldAdapter) -> None:
        """Tell that one more of its answers is under way."""
        if held not in self._members:
            self._members[held] = _Member(self._copy_in(held))
        self._members[held].num_answers += 1

    def find(self, held: HeldAdapter) -> AdapterSlot:
        """Return the slot of a version that has entered."""
        return self._members[held].slot

    def leave(self, held: HeldAdapter) -> None:
        """Tell that one of its answers is over."""
        member = self._members[held]
        member.num_answers -= 1
        if member.num_answers:
            return
        del self._members[held]
        slot = member.slot
        del self._names[slot.adapter_id]
        moved = slot.stack.remove(slot.row)
        if moved is not None:
            self._members[self._names[moved]].slot.row = slot.row
        if not slot.stack.adapter_ids:
            del self._stacks[slot.layout]

    def _copy_in(self, held: HeldAdapter) -> AdapterSlot:
        layout = AdapterLayout.of(self._sites, held.spec)
        stack = self._stacks.get(layout)
        if stack is None:
            stack = AdapterStack(layout, self._dtype, self._device, is_trained=False)
            self._stacks[layout] = stack
        name = AdapterId(f"version-{next(self._numbers)}")
        self._names[name] = held
        row = stack.add(name)
        stack.put_weights(row, held.weights)
        return AdapterSlot(name, held.spec, stack, row, held.version, has_gradient=False)
