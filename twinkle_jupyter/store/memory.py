"""A `StateStore` in the memory of one process: for tests, and behind the actor of a cluster.

It ends with its process, and everything in it. One event loop uses it.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.store.interface import LogEntry, Row
from twinkle_jupyter.store.row_text import dump_row, load_row


@dataclass(slots=True)
class _Log:
    """Entries as text, of which the first have been forgotten."""

    entries: list[str] = field(default_factory=list)
    num_forgotten: int = 0
    #: Set and replaced at each append.
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def last_position(self) -> int:
        return self.num_forgotten + len(self.entries)

    def tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


class MemoryStore:
    """Rows and logs in memory; see `StateStore` for what each call promises.

    Every call raises `ServiceUnavailableError` once the store was closed. Rows are kept as text, so
    that nobody changes what another one reads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: By key: text, and the moment after which it is not there.
        self._rows: dict[str, tuple[str, float | None]] = {}
        self._keys: list[str] = []
        #: Moments at which to look whether a row has expired, and its key.
        self._due: list[tuple[float, str]] = []
        self._logs: defaultdict[str, _Log] = defaultdict(_Log)
        self._is_closed = False

    async def get(self, key: str) -> Row | None:
        """Return the row, or None."""
        text = self._text(key)
        return None if text is None else load_row(text)

    async def get_many(self, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows of these keys, in their order, as they are at one moment."""
        texts = [self._text(key) for key in keys]
        return [None if text is None else load_row(text) for text in texts]

    async def put(self, key: str, row: Row, *, ttl_s: float | None = None) -> None:
        """Write the row, whatever was there."""
        self._refuse_if_closed()
        self._write(key, dump_row(row), self._moment(ttl_s))

    async def put_if_absent(self, key: str, row: Row, *, ttl_s: float | None = None) -> bool:
        """Write the row unless the key has one; tell whether it was written."""
        text = dump_row(row)
        if self._text(key) is not None:
            return False
        self._write(key, text, self._moment(ttl_s))
        return True

    async def replace(
        self, key: str, before: Row, after: Row, *, ttl_s: float | None = None
    ) -> bool:
        """Write `after` if the row is `before`; tell whether it was."""
        if self._text(key) != dump_row(before):
            return False
        self._write(key, dump_row(after), self._moment(ttl_s))
        return True

    async def update(self, key: str, change: Callable[[Row | None], Row]) -> Row:
        """Replace the row by `change(row)` in one go."""
        text = self._text(key)
        row = change(None if text is None else load_row(text))
        await self.swap_text(key, text, dump_row(row))
        return row

    async def get_text(self, key: str) -> str | None:
        """Return the row as it is kept: for `swap_text`."""
        return self._text(key)

    async def swap_text(self, key: str, before: str | None, after: str) -> bool:
        """Write a row's text if what is there is `before`; how long it lives does not change."""
        if self._text(key) != before:
            return False
        self._write(key, after, None if before is None else self._rows[key][1])
        return True

    async def delete(self, key: str) -> bool:
        """Remove the row; tell whether there was one."""
        is_there = self._text(key) is not None
        if is_there:
            self._remove(key)
        return is_there

    async def list_rows(self, prefix: str) -> list[tuple[str, Row]]:
        """Return keys and rows whose key starts with `prefix`, in key order."""
        found, place = [], bisect_left(self._keys, prefix)
        while place < len(self._keys) and self._keys[place].startswith(prefix):
            key = self._keys[place]
            if (text := self._text(key)) is not None:
                found.append((key, load_row(text)))
                place += 1
            # Else it has expired, and another one is in its place.
        return found

    async def append(self, log: str, entry: Row) -> int:
        """Add an entry; return its position."""
        return await self.append_all(log, (entry,))

    async def append_all(self, log: str, entries: Sequence[Row]) -> int:
        """Add entries in their order, all or none; return the last one's position."""
        self._refuse_if_closed()
        texts = [dump_row(entry) for entry in entries]
        found = self._logs[log]
        found.entries += texts
        found.tell()
        return found.last_position

    async def truncate(self, log: str, through: int) -> None:
        """Forget the entries up to and with this position; the newest one always stays."""
        self._refuse_if_closed()
        found = self._logs[log]
        count = min(through, found.last_position - 1) - found.num_forgotten
        if count > 0:
            del found.entries[:count]
            found.num_forgotten += count

    async def read(self, log: str, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return up to `limit` entries with a position greater than `after`, in order."""
        self._refuse_if_closed()
        found = self._logs[log]
        first = max(0, after - found.num_forgotten)
        return [
            LogEntry(found.num_forgotten + number, load_row(text))
            for number, text in enumerate(found.entries[first : first + limit], first + 1)
        ]

    async def last_position(self, log: str) -> int:
        """Return the newest entry's position, 0 for an empty log."""
        self._refuse_if_closed()
        return self._logs[log].last_position

    async def wait(self, log: str, after: int, timeout_s: float) -> bool:
        """Wait for an entry beyond `after`; False when time is over, or on `close`."""
        found = self._logs[log]
        try:
            async with asyncio.timeout(timeout_s):
                while not self._is_closed:
                    if found.last_position > after:
                        return True
                    await found.news.wait()
        except TimeoutError:
            return False
        return False

    async def check(self, timeout_s: float) -> None:  # noqa: ARG002 - it answers at once
        """Return at once, until it is closed."""
        self._refuse_if_closed()

    async def close(self) -> None:
        """End every wait and refuse what comes later."""
        self._is_closed = True
        for log in self._logs.values():
            log.tell()

    def _text(self, key: str) -> str | None:
        """Return the row's text; one that has expired goes."""
        self._refuse_if_closed()
        text, moment = self._rows.get(key, (None, None))
        if moment is not None and moment <= self._clock():
            self._remove(key)
            return None
        return text

    def _write(self, key: str, text: str, moment: float | None) -> None:
        if moment is not None:
            # Whoever adds what goes takes away what has gone.
            while self._due and self._due[0][0] <= self._clock():
                self._text(heappop(self._due)[1])
            heappush(self._due, (moment, key))
        if key not in self._rows:
            insort(self._keys, key)
        self._rows[key] = (text, moment)

    def _remove(self, key: str) -> None:
        del self._rows[key]
        del self._keys[bisect_left(self._keys, key)]

    def _moment(self, ttl_s: float | None) -> float | None:
        return None if ttl_s is None else self._clock() + ttl_s

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise ServiceUnavailableError("The store is closed.")
