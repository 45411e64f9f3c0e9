"""What a trainer takes in and does, in that order, on disk before anybody hears of it.

A trainer that comes back reads its newest cut (every adapter as it was at one moment) and repeats
what its journal has since then: the same ops in the same company, and therefore the same numbers to
the last bit. Only the trainer itself appends here, so that positions are known before they are
written. `docs/explanation/journal-and-cuts.md` has the whole picture.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from twinkle_jupyter.errors import ServiceUnavailableError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.op_codec import encode_op, encode_outcome, encode_spec
from twinkle_jupyter.scheduling.events import PlanOutcome
from twinkle_jupyter.scheduling.op_part import PartDone
from twinkle_jupyter.scheduling.request import AdapterSpec, Op, Priority
from twinkle_jupyter.store.interface import JSON, Row, StateStore

_LOGGER = logging.getLogger(__name__)

#: How long a store that cannot be written to is tried again before the trainer gives up.
_PATIENCE_S = 60.0
_PAUSE_S = 0.5

OpKey = tuple[AdapterId, int]


class Journal:
    """Appends entries of one trainer, several in one write where they come together.

    Args:
        store: Where it is kept; None keeps nothing, for a trainer that ends with its process.
        name: Of the log.
        last_position: Of the newest entry there is.
        on_lost: Called once when the store could not be written to for too long.
    """

    def __init__(
        self,
        store: StateStore | None = None,
        name: str = "",
        last_position: int = 0,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_lost = on_lost
        self._store = store
        self._name = name
        self._position = last_position
        self._durable = last_position
        self._unwritten: list[Row] = []
        self._writing: asyncio.Task[None] | None = None
        self._has_written = asyncio.Event()
        self._failure: TwinkleError | None = None
        #: Where each op stands that was taken in and is not carried out yet.
        self._pending: dict[OpKey, int] = {}
        self._cancelled: set[OpKey] = set()

    @classmethod
    async def open(cls, store: StateStore, name: str, on_lost: Callable[[], None]) -> Self:
        """Go on with the journal of that name, which nobody else writes."""
        return cls(store, name, await store.last_position(name), on_lost)

    @property
    def position(self) -> int:
        """Where the newest entry is or will be."""
        return self._position

    @property
    def first_needed(self) -> int:
        """The position of the oldest op that is not carried out; beyond the end for none."""
        return min(self._pending.values(), default=self._position + 1)

    def add_adapter(
        self, adapter_id: AdapterId, spec: AdapterSpec, user: str, priority: Priority
    ) -> None:
        """An adapter got its first weights."""
        whose: Row = {"adapter": adapter_id, "user": user, "priority": priority}
        self._submit({"kind": "added", "spec": encode_spec(spec), **whose})

    def load_adapter(
        self, adapter_id: AdapterId, folder: str, user: str, priority: Priority
    ) -> None:
        """An adapter was read from this folder of the trainer's own."""
        whose: Row = {"adapter": adapter_id, "user": user, "priority": priority}
        self._submit({"kind": "loaded", "folder": folder, **whose})
        self._forget_ops(adapter_id)

    def remove_adapter(self, adapter_id: AdapterId) -> None:
        """An adapter is gone."""
        self._submit({"kind": "removed", "adapter": adapter_id})
        self._forget_ops(adapter_id)

    def encode(self, op: Op) -> Row:
        """Return the op as `accept` writes it; nothing where nothing is kept.

        Raises:
            InvalidDataError: A number is of no kind that can be kept.
        """
        return {} if self._store is None else encode_op(op)

    def accept(self, op: Op, encoded: Row) -> None:
        """An op was taken in; `encoded` is what `encode` made of it."""
        key = (op.adapter_id, op.sequence_id)
        if key in self._pending and key not in self._cancelled:
            return
        self._cancelled.discard(key)
        place: Row = {"adapter": op.adapter_id, "sequence": op.sequence_id}
        self._submit({"kind": "op", **place, "op": encoded})
        self._pending[key] = self._position

    def cancel(self, adapter_id: AdapterId, sequence_id: int) -> None:
        """Nobody waits for an op any more that has not begun."""
        key = (adapter_id, sequence_id)
        if key in self._pending:
            self._submit({"kind": "cancelled", "adapter": adapter_id, "sequence": sequence_id})
            self._cancelled.add(key)

    def record(
        self,
        ops: Sequence[Op],
        outcomes: Sequence[PlanOutcome],
        token_budget: int,
        rows: Mapping[int, tuple[int, int]] | None = None,
    ) -> None:
        """A plan was carried out; results are not kept, since repeating it gives them again.

        Args:
            ops: What the plan had.
            outcomes: One an op, in their order.
            token_budget: Of a pass, as it was at the plan's end.
            rows: Where the plan had a part of an op, where that begins and stops, by op's index.
        """
        failed: Row = {
            str(index): encode_outcome(outcome)
            for index, outcome in enumerate(outcomes)
            if isinstance(outcome, TwinkleError)
        }
        keys: JSON = [(op.adapter_id, op.sequence_id) for op in ops]
        parts: Row = {str(index): [start, stop] for index, (start, stop) in (rows or {}).items()}
        more: Row = {"rows": parts} if parts else {}
        self._submit(
            {"kind": "plan", "ops": keys, "failed": failed, "budget": token_budget, **more}
        )
        for op, outcome in zip(ops, outcomes, strict=True):
            if not isinstance(outcome, PartDone):
                self._drop((op.adapter_id, op.sequence_id))

    def refuse(self, op: Op, error: TwinkleError) -> None:
        """An op is answered with an error and was not begun."""
        key: Row = {"adapter": op.adapter_id, "sequence": op.sequence_id}
        self._submit({"kind": "refused", **key, "error": encode_outcome(error)})
        self._drop((op.adapter_id, op.sequence_id))

    def saved(self, folder: str) -> None:
        """A checkpoint is whole; whoever asked for it may delete it."""
        self._submit({"kind": "saved", "folder": folder})

    def settle(self, adapter_id: AdapterId, next_id: int) -> None:
        """Ops before this one were answered, be it with that they were cancelled."""
        for key in [key for key in self._pending if key[0] == adapter_id and key[1] < next_id]:
            self._drop(key)

    def resume(self, pending: Mapping[OpKey, int], cancelled: set[OpKey]) -> None:
        """Tell which ops an earlier life took in and did not carry out."""
        self._pending = dict(pending)
        self._cancelled = set(cancelled)

    async def flushed(self) -> None:
        """Wait until everything so far is durable.

        Raises:
            ServiceUnavailableError: The store cannot be written to.
        """
        position = self._position
        while self._store is not None and self._durable < position:
            if self._failure is not None:
                raise type(self._failure)(*self._failure.args)
            self._has_written.clear()
            await self._has_written.wait()

    def _submit(self, entry: Row) -> None:
        if self._store is None:
            return
        self._unwritten.append(entry)
        self._position += 1
        if self._writing is None and self._failure is None:
            self._writing = asyncio.get_running_loop().create_task(self._write(self._store))

    def _forget_ops(self, adapter_id: AdapterId) -> None:
        for key in [key for key in self._pending if key[0] == adapter_id]:
            self._drop(key)

    def _drop(self, key: OpKey) -> None:
        self._pending.pop(key, None)
        self._cancelled.discard(key)

    async def _write(self, store: StateStore) -> None:
        """Write everything there is at once, then what came meanwhile."""
        try:
            while self._unwritten:
                entries, self._unwritten = self._unwritten, []
                self._durable = await self._append(store, entries)
                self._has_written.set()
        except TwinkleError as error:
            self._fail(error)
        except Exception:
            # Whoever waits for it to be durable would wait for good.
            _LOGGER.exception("the journal could not be written")
            self._fail(ServiceUnavailableError("The journal failed inside; see the trainer's log."))
        finally:
            self._writing = None

    def _fail(self, error: TwinkleError) -> None:
        _LOGGER.error("the journal is lost: %s", error)
        self._failure = error
        self._has_written.set()
        self._on_lost()

    async def _append(self, store: StateStore, entries: Sequence[Row]) -> int:
        """Append entries of which nobody else wrote the positions; return the last one's."""
        last = await self._append_patiently(store, entries)
        if last != self._durable + len(entries):
            raise ServiceUnavailableError(
                f"The journal {self._name!r} is written by somebody else, too.",
                "Only one trainer of a base model may use a store.",
            )
        return last

    async def _append_patiently(self, store: StateStore, entries: Sequence[Row]) -> int:
        """Append, for as long as it takes the disk or the server to come back."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        expected = self._durable + len(entries)
        while True:
            try:
                return await store.append_all(self._name, entries)
            except TwinkleError as error:
                _LOGGER.warning("the journal cannot be written, trying again: %s", error)
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_PAUSE_S)
            # The answer may have been lost, and not the entries.
            with contextlib.suppress(TwinkleError):
                if await store.last_position(self._name) == expected:
                    return expected
