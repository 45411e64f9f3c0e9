"""One adapter's requests, one after another: its client counts none, so that the service does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import Op, OpAnswer, TrainerHandle
from twinkle_jupyter.service.patience import patiently
from twinkle_jupyter.service.tinker.client_adapters import ClientAdapters
from twinkle_jupyter.service.tinker.ops import ACCEPT_WAIT_S, accept
from twinkle_jupyter.store.client_rows import ClientAdapterRow, WeightsToLoad

#: Its client waits for 600 s.
_ANSWER_WAIT_S = 590.0


class Turns:
    """Of one process.

    Args:
        adapters: That clients train.
    """

    def __init__(self, adapters: ClientAdapters) -> None:
        self._adapters = adapters
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, row: ClientAdapterRow) -> AsyncGenerator[None]:
        """Wait for the adapter's turn, and keep it."""
        lock = self._locks.setdefault(f"{row.owner}/{row.adapter_id}", asyncio.Lock())
        async with lock:
            yield

    async def next(self, row: ClientAdapterRow) -> int:
        """Return the sequence id of the next op, as clients count; within a turn."""
        return await patiently(lambda: self._next(row), ACCEPT_WAIT_S)

    async def run(
        self, row: ClientAdapterRow, op_of: Callable[[int], Op], number: int | None = None
    ) -> OpAnswer:
        """Have an op carried out; within a turn.

        Args:
            row: The adapter.
            op_of: Returns the op for the sequence id that it gets.
            number: What `next` returned; asked for if not given.

        Raises:
            ServiceUnavailableError: There is no trainer now.
            TwinkleError: What the op fails with.
        """
        number = number if number is not None else await self.next(row)
        await accept(self._adapters, row, op_of(number))

        async def outcome() -> OpAnswer:
            made = await self._adapters.get(row.owner, row.adapter_id)
            trainer = await self._adapters.trainer_of(made)
            return await trainer.outcome(AdapterId(row.adapter_id), number - made.id_offset)

        return await patiently(outcome, _ANSWER_WAIT_S)

    async def load(
        self, row: ClientAdapterRow, path: str, folder: str, *, with_optimizer: bool
    ) -> None:
        """Put a checkpoint into the adapter; within a turn.

        Raises:
            InvalidDataError: It cannot be loaded.
        """
        number = await self.next(row)
        weights = WeightsToLoad(path, folder, with_optimizer, number)
        await patiently(lambda: self._adapters.begin_load(row, weights), ACCEPT_WAIT_S)

        async def loaded() -> ClientAdapterRow:
            return await self._adapters.made(await self._adapters.get(row.owner, row.adapter_id))

        made = await patiently(loaded, _ANSWER_WAIT_S)
        if failure := made.failed_loads.get(str(number)):
            raise InvalidDataError(failure)

    async def trainer_with(self, row: ClientAdapterRow) -> TrainerHandle:
        """Return its trainer, which has the adapter then."""
        await self.next(row)
        return await self._adapters.trainer_of(row)

    async def _next(self, row: ClientAdapterRow) -> int:
        """Return the sequence id that is the next one, as clients count."""
        made = await self._adapters.made(await self._adapters.get(row.owner, row.adapter_id))
        trainer = await self._adapters.trainer_of(made)
        position = await trainer.position(AdapterId(row.adapter_id))
        if position is None:
            if not await self._adapters.found_again(made):
                raise NotFoundError(f"Adapter {row.adapter_id!r} is not on its trainer.")
            return await self._next(row)
        return position.next_sequence_id + made.id_offset
