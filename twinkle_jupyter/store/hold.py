"""A name that one process has at a time, for as long as it goes on saying so.

Whoever has it and dies, or no longer reaches the store, has it no longer after its time to live;
it has stopped by then, by its own clock, which it started before it asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.store.interface import Row, StateStore

_LOGGER = logging.getLogger(__name__)

#: Part of the time to live after which a holder says so again.
_SAY_EVERY = 0.3


class Hold:
    """One holder's claim to a name.

    Args:
        store: Where it is written.
        name: What is held.
        ttl_s: How long it lasts without a word.
    """

    def __init__(self, store: StateStore, name: str, ttl_s: float) -> None:
        self._store = store
        self.name = name
        self.ttl_s = ttl_s
        self._row: Row = {}
        #: Moment of the event loop's clock until which nobody else has it.
        self.until = 0.0

    @staticmethod
    def key(name: str) -> str:
        """Where the row is kept."""
        return f"hold/{name}"

    async def take(self) -> bool:
        """Take it if nobody has it; tell whether it was free."""
        asked_at = asyncio.get_running_loop().time()
        # Another one each time: a claim that was lost is not taken up again by mistake.
        row: Row = {"by": uuid4().hex, "host": socket.gethostname(), "pid": os.getpid()}
        if not await self._store.put_if_absent(self.key(self.name), row, ttl_s=self.ttl_s):
            return False
        self._row, self.until = row, asked_at + self.ttl_s
        return True

    async def keep(self) -> bool:
        """Have it for another `ttl_s`; false where it was lost."""
        asked_at = asyncio.get_running_loop().time()
        key = self.key(self.name)
        if not await self._store.replace(key, self._row, self._row, ttl_s=self.ttl_s):
            return False
        self.until = asked_at + self.ttl_s
        return True

    async def let_go(self) -> None:
        """Leave it to others at once; does nothing where it was lost."""
        await self._store.replace(self.key(self.name), self._row, self._row, ttl_s=0.0)

    async def go_on(self, limit: asyncio.Timeout) -> None:
        """Keep it, and move the limit along; until cancelled, or until it is lost."""
        while not limit.expired():
            await asyncio.sleep(_SAY_EVERY * self.ttl_s)
            try:
                if not await self.keep():
                    _LOGGER.warning("%s was lost to another process", self.name)
                    self.until = 0.0
            except ServiceUnavailableError as error:
                _LOGGER.warning("%s may be lost: %s", self.name, error)
            if not limit.expired():  # one that is can be moved no more
                limit.reschedule(self.until)


@asynccontextmanager
async def held(
    store: StateStore, name: str, ttl_s: float, *, look_every_s: float
) -> AsyncIterator[Hold]:
    """Hold a name during the block, once whoever has it lets go or its time is over.

    Raises:
        ServiceUnavailableError: It was lost on the way; the block was cancelled before anybody else
            had it.
    """
    hold = Hold(store, name, ttl_s)
    while True:
        if await hold.take():
            break
        await asyncio.sleep(random.uniform(0.5, 1.0) * look_every_s)  # noqa: S311 - no secret
    limit = asyncio.timeout_at(hold.until)
    try:
        async with limit:
            going_on = asyncio.create_task(hold.go_on(limit), name=f"hold {name}")
            try:
                yield hold
            finally:
                going_on.cancel()
                await asyncio.wait({going_on})
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise ServiceUnavailableError(f"{name} was lost to another process.") from error
    finally:
        # Where the store is away, its time to live does the same.
        with contextlib.suppress(ServiceUnavailableError):
            await hold.let_go()
