"""Tells who waits for a sample, in whichever service process, that something became of it."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.sample_rows import SampleRow, SampleState

_LOGGER = logging.getLogger(__name__)

_LOG = "sample-news"
_WANTED_KEY = "sample-news-wanted"
#: Twice as long as anybody is held.
_WANTED_S = 80.0
_WAIT_S = 5.0
_PAUSE_S = 1.0
#: Old news are of no use to anybody: this many entries are kept.
_KEPT = 256

SampleKey = tuple[str, str]


class SampleNews:
    """One log for all samples, followed while somebody waits or writes.

    Args:
        store: Where the log is.
        on_cancelled: Told of each sample that was cancelled, by its owner and name.
    """

    def __init__(self, store: StateStore, on_cancelled: Callable[[SampleKey], None]) -> None:
        self._store = store
        self._on_cancelled = on_cancelled
        self._waiting: defaultdict[SampleKey, set[asyncio.Event]] = defaultdict(set)
        self._following: asyncio.Task[None] | None = None
        self._num_listening = 0
        self._starting = asyncio.Lock()
        #: Until when others know that somebody here waits.
        self._wants_until = 0.0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear, during the block, of everything that is told after it has begun."""
        self._num_listening += 1
        try:
            async with self._starting:
                if self._following is None:
                    position = await self._newest()
                    self._following = asyncio.create_task(self._follow(position), name=_LOG)
            yield
        finally:
            self._num_listening -= 1
            if not self._num_listening and self._following is not None:
                self._following.cancel()
                self._following = None

    @asynccontextmanager
    async def expecting(self, key: SampleKey, *, elsewhere: bool) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set when something became of this sample, here or elsewhere."""
        event = asyncio.Event()
        self._waiting[key].add(event)
        try:
            if not elsewhere:
                yield event
                return
            async with self.listening():
                await self._want()
                yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def tell(self, row: SampleRow) -> None:
        """Tell whoever waits that this sample is over."""
        self.wake((row.owner, row.name))
        # Where nobody waits in another process, a write to the disk is saved.
        if row.state != "cancelled" and await self._store.get(_WANTED_KEY) is None:
            return
        entry = {"owner": row.owner, "name": row.name, "state": row.state}
        position = await self._store.append(_LOG, entry)
        if position % _KEPT == 0:
            await self._store.truncate(_LOG, position - _KEPT)

    async def _want(self) -> None:
        """Say that news are wanted, before looking for what there is."""
        moment = asyncio.get_running_loop().time()
        if moment > self._wants_until:
            await self._store.put(_WANTED_KEY, {}, ttl_s=_WANTED_S)
            self._wants_until = moment + _WANTED_S / 2

    def wake(self, key: SampleKey) -> None:
        """Let those of this process look who wait for this sample."""
        for event in self._waiting.get(key, ()):
            event.set()

    async def _newest(self) -> int | None:
        """Return the newest position; None where the store is away at this moment."""
        try:
            return await self._store.last_position(_LOG)
        except ServiceUnavailableError:
            return None

    async def _follow(self, position: int | None) -> None:
        while True:
            try:
                # Asked for each time: a store that was closed says so here, and nowhere else.
                newest = await self._store.last_position(_LOG)
                position = newest if position is None else position
                if newest <= position and not await self._store.wait(_LOG, position, _WAIT_S):
                    continue
                for one in await self._store.read(_LOG, position):
                    position = one.position
                    state: SampleState = one.entry["state"]  # type: ignore[assignment]
                    self._hear((str(one.entry["owner"]), str(one.entry["name"])), state)
            except ServiceUnavailableError as error:
                _LOGGER.debug("not hearing of samples: %s", error)
                await asyncio.sleep(_PAUSE_S)

    def _hear(self, key: SampleKey, state: SampleState) -> None:
        if state == "cancelled":
            self._on_cancelled(key)
        self.wake(key)
