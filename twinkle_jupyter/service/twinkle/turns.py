"""One adapter's requests, one after another: its client counts none, so that the service does."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from twinkle_jupyter.errors import (
    SENT_BEFORE,
    ConflictError,
    InvalidDataError,
    NotFoundError,
    ServiceUnavailableError,
)
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import Op, OpAnswer, TrainerHandle
from twinkle_jupyter.service.clients.client_adapters import ClientAdapters
from twinkle_jupyter.service.clients.handing_over import ACCEPT_WAIT_S, hand_over
from twinkle_jupyter.service.patience import patiently
from twinkle_jupyter.store.client_rows import ClientAdapterRow, WeightsToLoad

#: Its client waits for 600 s, for a base model that is being fetched as for an answer.
_READY_WAIT_S = 300.0
_ANSWER_WAIT_S = 590.0
#: Adapters whose next number is remembered; for others the trainer is asked.
_MAX_REMEMBERED = 1000

#: An adapter, with its owner.
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an adapter's next op goes."""

    #: As it is now.
    row: ClientAdapterRow
    trainer: TrainerHandle
    #: The op's sequence id, as clients count.
    number: int


class Turns:
    """Of one process.

    Args:
        adapters: That clients train.
    """

    def __init__(self, adapters: ClientAdapters) -> None:
        self._adapters = adapters
        self._locks: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()
        #: Those whose turn it is, and whose rows others may have changed while that came.
        self._changed: set[_Key] = set()
        #: By owner and adapter: its offset, and the trainer's next number if nobody else sent ops.
        self._next_ids: OrderedDict[_Key, tuple[int, int]] = OrderedDict()

    @asynccontextmanager
    async def of(self, row: ClientAdapterRow) -> AsyncGenerator[None]:
        """Wait for the adapter's turn, and keep it.

        Args:
            row: As it was read for this request.
        """
        key = (row.owner, row.adapter_id)
        lock = self._locks.setdefault(key, asyncio.Lock())
        had_to_wait = lock.locked()
        async with lock:
            if had_to_wait:
                self._changed.add(key)
            try:
                yield
            finally:
                self._changed.discard(key)

    async def next(self, row: ClientAdapterRow) -> Place:
        """Return where the next op goes, once the adapter is on its trainer; within a turn.

        Raises:
            ServiceUnavailableError: There is no trainer now.
            NotFoundError: The trainer has lost the adapter.
        """
        return await patiently(lambda: self._next(row), _READY_WAIT_S)

    async def run(
        self, row: ClientAdapterRow, op_of: Callable[[int], Op], place: Place | None = None
    ) -> OpAnswer:
        """Have an op carried out; within a turn.

        Args:
            row: The adapter, as it was read for the request whose turn it is.
            op_of: Returns the op for the sequence id that it gets.
            place: What `next` returned; asked for if not given.

        Raises:
            ServiceUnavailableError: There is no trainer now.
            TwinkleError: What the op fails with.
        """
        place = place or await self._remembered(row) or await self.next(row)
        while True:
            op = op_of(place.number)
            try:
                answer = await _run_new(place, op)
            except ConflictError as error:
                if error.code != SENT_BEFORE:
                    raise
                # Another replica sent something meanwhile: nothing was done.
                place = await self.next(row)
                continue
            except (NotFoundError, ServiceUnavailableError):
                # Taken in, or not: under the same id it is carried out once.
                answer = await self._send_again(row, op)
            break
        self._remember(place)
        await self._adapters.used(place.row)
        return answer

    async def load(self, row: ClientAdapterRow, weights: WeightsToLoad) -> None:
        """Put a checkpoint into the adapter; within a turn.

        Raises:
            InvalidDataError: It cannot be loaded.
        """
        self._changed.add((row.owner, row.adapter_id))
        place = await self.next(row)
        weights = replace(weights, sequence_id=place.number)
        await patiently(lambda: self._adapters.begin_load(place.row, weights), ACCEPT_WAIT_S)

        async def loaded() -> ClientAdapterRow:
            made = await self._adapters.made(await self._adapters.get(row.owner, row.adapter_id))
            if not made.has_loaded(place.number):
                raise ServiceUnavailableError(f"Adapter {row.adapter_id!r} is not loaded yet.")
            return made

        made = await patiently(loaded, _ANSWER_WAIT_S)
        if failure := made.failed_loads.get(str(place.number)):
            raise InvalidDataError(failure)

    async def _next(self, row: ClientAdapterRow) -> Place:
        made = await self._adapters.made(await self._adapters.get(row.owner, row.adapter_id))
        trainer = await self._adapters.trainer_of(made)
        position = await trainer.position(AdapterId(row.adapter_id))
        if position is None:
            if not await self._adapters.found_again(made):
                raise NotFoundError(f"Adapter {row.adapter_id!r} is not on its trainer.")
            return await self._next(row)
        return Place(made, trainer, position.next_sequence_id + made.id_offset)

    async def _remembered(self, row: ClientAdapterRow) -> Place | None:
        """Return where the next op goes if this process has sent the last one.

        Forgotten at once: what fails in between asks the trainer. The adapter may be elsewhere by
        now: then its offset is another one, or the trainer refuses what is not new.
        """
        offset, next_id = self._next_ids.pop((row.owner, row.adapter_id), (0, 0))
        if not next_id:
            return None
        if (row.owner, row.adapter_id) in self._changed:
            row = await self._adapters.get(row.owner, row.adapter_id)
        if not row.is_made or row.to_load or row.id_offset != offset:
            return None
        try:
            trainer = await self._adapters.trainer_of(row)
        except ServiceUnavailableError:
            return None  # whoever asks for the position waits for it
        return Place(row, trainer, next_id + offset)

    def _remember(self, place: Place) -> None:
        row = place.row
        next_id = place.number - row.id_offset + 1
        self._next_ids[row.owner, row.adapter_id] = (row.id_offset, next_id)
        while len(self._next_ids) > _MAX_REMEMBERED:
            self._next_ids.popitem(last=False)

    async def _send_again(self, row: ClientAdapterRow, op: Op) -> OpAnswer:
        await hand_over(self._adapters, row, op)

        async def outcome() -> OpAnswer:
            made = await self._adapters.get(row.owner, row.adapter_id)
            trainer = await self._adapters.trainer_of(made)
            return await trainer.outcome(AdapterId(row.adapter_id), op.sequence_id - made.id_offset)

        return await patiently(outcome, _ANSWER_WAIT_S)


async def _run_new(place: Place, op: Op) -> OpAnswer:
    """Hand an op over and wait for what comes of it, in one call."""
    own_id = op.sequence_id - place.row.id_offset
    return await place.trainer.run_new(replace(op, sequence_id=own_id))
