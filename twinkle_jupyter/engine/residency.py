"""Where each adapter is: in a slot, in host memory or on disk; and what leaves when room is short.

An adapter is the same in all three, bit by bit, a gradient that waits for its step included. Who
needs one in a slot asks for it and gets it; the one that was used longest ago makes room.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError

from twinkle_jupyter.engine.adapter_bank import AdapterBank, AdapterSlot, AdapterState
from twinkle_jupyter.engine.adapter_spill import AdapterSpill, SpilledAdapter
from twinkle_jupyter.engine.arrangement import Arrangement, Place
from twinkle_jupyter.engine.op_failures import describe_no_room, is_out_of_memory
from twinkle_jupyter.errors import NotFoundError, QuotaExceededError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import AdapterSpec

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdapterLimits:
    """How many adapters there may be, and where."""

    #: Slots: adapters that one pass can train.
    max_active: int = 64
    #: In slots, in host memory and on disk together.
    max_adapters: int = 1024
    #: Bytes of adapters in host memory, slots not counted; more go to disk.
    host_bytes: int = 2 * 2**30
    #: Folder of this trainer alone, emptied at its start; None is a temporary one.
    scratch: Path | None = None


class AdapterResidency:
    """All adapters of one trainer.

    Args:
        bank: The slots; nobody else fills or frees them.
        limits: `max_active` is the number of slots in `bank`.
    """

    def __init__(self, bank: AdapterBank, limits: AdapterLimits) -> None:
        self._bank = bank
        self._limits = limits
        self._spill = AdapterSpill(limits.scratch)
        # Each in the order of use, what was used longest ago first.
        self._active: dict[AdapterId, None] = {}
        self._resident: dict[AdapterId, AdapterState] = {}
        self._stored: dict[AdapterId, SpilledAdapter] = {}
        self._resident_bytes = 0

    def __len__(self) -> int:
        return len(self._active) + len(self._resident) + len(self._stored)

    def __contains__(self, adapter_id: AdapterId) -> bool:
        return self.place(adapter_id) is not None

    @property
    def num_slots(self) -> int:
        """Adapters that one pass can train."""
        return self._limits.max_active

    @property
    def active(self) -> list[AdapterId]:
        """Adapters in slots now; may be asked for on any thread."""
        return list(self._active)

    @property
    def size_bytes(self) -> int:
        """Bytes of all adapters in memory."""
        return self._bank.size_bytes + self._resident_bytes

    def place(self, adapter_id: AdapterId) -> Place | None:
        """Tell where the adapter is; None when there is none."""
        if adapter_id in self._active:
            return "active"
        if adapter_id in self._resident:
            return "resident"
        return "stored" if adapter_id in self._stored else None

    def places(self) -> dict[AdapterId, Place]:
        """Tell where each is; may be asked for on any thread."""
        return {
            **dict.fromkeys(list(self._stored), "stored"),
            **dict.fromkeys(list(self._resident), "resident"),
            **dict.fromkeys(list(self._active), "active"),
        }

    def create(self, adapter_id: AdapterId, spec: AdapterSpec) -> bool:
        """Fill a slot with the first weights; an adapter that is there already stays as it is.

        Tells whether it is new.

        Raises:
            QuotaExceededError: There are as many adapters as there may be.
            InvalidConfigError: The spec has no meaning.
        """
        if adapter_id in self:
            return False
        self._check_room(adapter_id)
        self._free_slots(1, keep=())
        self._bank.create(adapter_id, spec)
        self._active[adapter_id] = None
        self._trim()
        return True

    def put(self, adapter_id: AdapterId, state: AdapterState) -> None:
        """Fill a slot with this state, whatever the adapter was before.

        Raises:
            QuotaExceededError: There are as many adapters as there may be.
        """
        self._check_room(adapter_id)
        if adapter_id not in self._active:
            self._free_slots(1, keep=())
        self._bank.put(adapter_id, state)
        self._forget_outside(adapter_id)
        self._touch(adapter_id)
        self._trim()

    def remove(self, adapter_id: AdapterId) -> None:
        """Forget the adapter, wherever it is; what is not there changes nothing."""
        self._forget_outside(adapter_id)
        if adapter_id in self._active:
            del self._active[adapter_id]
            self._bank.remove(adapter_id)

    def arrangement(self) -> Arrangement:
        """Tell which adapter is where."""
        outside = (*self._stored, *self._resident)
        return Arrangement(tuple(self._bank.rows()), tuple(self._active), outside)

    def restore(
        self, arrangement: Arrangement, read: Callable[[AdapterId], AdapterState | None]
    ) -> None:
        """Put adapters where they were, in a residency that is empty.

        Args:
            arrangement: Where.
            read: Returns the state of one of them, in memory of its own; None if it is lost.
        """
        for adapter_id in arrangement.outside:
            if (state := read(adapter_id)) is not None:
                self._resident[adapter_id] = state
                self._resident_bytes += state.size_bytes
                self._trim()
        for adapter_id in arrangement.rows:
            if (state := read(adapter_id)) is not None:
                self.put(adapter_id, state)
        for adapter_id in arrangement.by_use:
            if adapter_id in self._active:
                self._touch(adapter_id)

    def get(self, adapter_id: AdapterId) -> AdapterSlot:
        """Return the adapter's slot, brought there if it was elsewhere.

        The slot is the adapter's until the next call for another one.

        Raises:
            NotFoundError: There is no such adapter.
            OutOfMemoryError: There is no memory to bring it in.
        """
        for error in self.bring_in((adapter_id,)).values():
            raise error
        return self._bank.get(adapter_id)

    def peek(self, adapter_id: AdapterId) -> AdapterState:
        """Return the adapter's content, to be read at once; it stays where it is.

        Raises:
            NotFoundError: There is no such adapter.
        """
        if adapter_id in self._active:
            return self._bank.get(adapter_id).state()
        return self._read(adapter_id)

    def check_known(self, adapter_id: AdapterId) -> None:
        """Raise NotFoundError where there is no such adapter."""
        if adapter_id not in self:
            raise NotFoundError(f"Adapter {adapter_id!r} is not on this trainer.")

    def turns(self, adapter_ids: Collection[AdapterId]) -> list[list[AdapterId]]:
        """Part the adapters into groups that fit into the slots together.

        Those in slots already come first, so that going round more adapters than slots brings in
        each of them once and no more.
        """
        ordered = sorted(adapter_ids, key=lambda key: key not in self._active)
        size = self._limits.max_active
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def bring_in(self, adapter_ids: Collection[AdapterId]) -> dict[AdapterId, TwinkleError]:
        """Bring all of these into slots at once, `max_active` at most; return who failed, and how.

        None of them makes room for another; one that fails stays where it was.
        """
        if len(adapter_ids) > self._limits.max_active:
            raise ValueError(f"{len(adapter_ids)} adapters for {self._limits.max_active} slots")
        failures: dict[AdapterId, TwinkleError] = {}
        for adapter_id in adapter_ids:
            try:
                if adapter_id not in self._active:
                    self._activate(adapter_id, keep=adapter_ids)
                self._touch(adapter_id)
            except TwinkleError as error:
                failures[adapter_id] = error
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                failures[adapter_id] = describe_no_room(adapter_id)
        self._trim()
        return failures

    def _check_room(self, adapter_id: AdapterId) -> None:
        if adapter_id not in self and len(self) >= self._limits.max_adapters:
            raise QuotaExceededError(
                f"This trainer has {len(self)} adapters, which is as many as it may have"
                f" (max_adapters={self._limits.max_adapters}).",
                "Delete an adapter that is not needed, wait for a run to end, or set"
                " TWINKLE_TRAINER__MAX_ADAPTERS higher.",
            )

    def _activate(self, adapter_id: AdapterId, keep: Collection[AdapterId]) -> None:
        # In this order nothing is lost where memory or disk fail on the way.
        state = self._read(adapter_id)
        self._free_slots(1, keep)
        self._bank.put(adapter_id, state)
        self._active[adapter_id] = None
        self._forget_outside(adapter_id)

    def _read(self, adapter_id: AdapterId) -> AdapterState:
        resident = self._resident.get(adapter_id)
        if resident is not None:
            return resident
        self.check_known(adapter_id)
        stored = self._stored[adapter_id]
        try:
            return self._spill.read(stored)
        except (OSError, SafetensorError) as error:
            # A run goes on from its last checkpoint when its adapter is not found.
            self._forget_outside(adapter_id)
            raise NotFoundError(
                f"Adapter {adapter_id!r} could not be read back from disk: {error}.",
                "It can be loaded again from its last checkpoint.",
            ) from error

    def _free_slots(self, count: int, keep: Collection[AdapterId]) -> None:
        """Move adapters that were not used for longest into host memory."""
        while len(self._active) + count > self._limits.max_active:
            oldest = next(key for key in self._active if key not in keep)
            state = self._bank.take(oldest).map_tensors(torch.Tensor.cpu)
            del self._active[oldest]
            self._resident[oldest] = state
            self._resident_bytes += state.size_bytes

    def _trim(self) -> None:
        """Move adapters to disk until those in host memory are within their limit."""
        while self._resident_bytes > self._limits.host_bytes and self._resident:
            oldest, state = next(iter(self._resident.items()))
            try:
                self._stored[oldest] = self._spill.write(state)
            except (OSError, SafetensorError) as error:
                _LOGGER.warning("adapters stay in memory, more than they may: %s", error)
                return
            del self._resident[oldest]
            self._resident_bytes -= state.size_bytes

    def _forget_outside(self, adapter_id: AdapterId) -> None:
        state = self._resident.pop(adapter_id, None)
        if state is not None:
            self._resident_bytes -= state.size_bytes
        stored = self._stored.pop(adapter_id, None)
        if stored is not None:
            self._spill.forget(stored)

    def _touch(self, adapter_id: AdapterId) -> None:
        self._active.pop(adapter_id, None)
        self._active[adapter_id] = None
