"""A row that is asked for all the time and changes hardly ever: read again after a second."""

from __future__ import annotations

import asyncio

from twinkle_jupyter.store.interface import Row, StateStore

#: How late a change made elsewhere may be noticed, in seconds.
_LASTS_S = 1.0
#: More at once are those of a crowd; they are read again.
_MAX_KEPT = 4096


class RecentRows:
    """Rows as they were a moment ago; of one process.

    Args:
        store: Has them.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        #: By key: when it was read, and what it was.
        self._read: dict[str, tuple[float, Row | None]] = {}

    async def get(self, key: str) -> Row | None:
        """Return the row of this key; None where there is none."""
        now = asyncio.get_running_loop().time()
        read_at, row = self._read.get(key, (float("-inf"), None))
        if now - read_at < _LASTS_S:
            return row
        row = await self._store.get(key)
        if len(self._read) >= _MAX_KEPT:
            self._read.clear()
        self._read[key] = (now, row)
        return row

    def forget(self) -> None:
        """Read everything again: this process has changed something."""
        self._read.clear()
