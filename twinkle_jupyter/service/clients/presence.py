"""Which service processes are there: each says so while others may wait for what it writes."""

from __future__ import annotations

import asyncio
import logging
from uuid import uuid4

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.store.interface import StateStore

_LOGGER = logging.getLogger(__name__)

#: A process that has not said so for this long is gone.
TTL_S = 10.0
_SAY_EVERY_S = 3.0


class Presence:
    """Of one process among those that share a store."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self.process_id = uuid4().hex
        self._said_at = -TTL_S
        self._going_on: asyncio.Task[None] | None = None
        self._num_needs = 0

    async def begin(self) -> None:
        """Be there until as many `end` as `begin` were called."""
        self._num_needs += 1
        if asyncio.get_running_loop().time() - self._said_at > _SAY_EVERY_S:
            try:
                await self._say()
            except BaseException:
                self.end()
                raise
        if self._going_on is None:
            self._going_on = asyncio.create_task(self._go_on(), name="presence")

    def end(self) -> None:
        """Nobody waits for this one's work any more."""
        self._num_needs -= 1
        if not self._num_needs and self._going_on is not None:
            self._going_on.cancel()
            self._going_on = None

    async def is_there(self, process_id: str) -> bool:
        """Tell whether another process has said so lately."""
        return await self._store.get(_key(process_id)) is not None

    async def leave(self) -> None:
        """Whoever waits for this process need wait no longer."""
        await self._store.delete(_key(self.process_id))

    async def _say(self) -> None:
        asked_at = asyncio.get_running_loop().time()
        await self._store.put(_key(self.process_id), {}, ttl_s=TTL_S)
        self._said_at = asked_at

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(_SAY_EVERY_S)
            try:
                await self._say()
            except ServiceUnavailableError as error:
                _LOGGER.warning("others may take this process for gone: %s", error)


def _key(process_id: str) -> str:
    return f"service-process/{process_id}"
