"""A row that is asked for all the time and changes hardly ever: read again after a second."""

from __future__ import annotations

import asyncio

from twinkle_jupyter.store.interface import Row, StateStore

#: How late a change made elsewhere may be noticed, in seconds.
LASTS_S = 1.0


class RecentRows:
    """Rows as they were a moment ago; of one process.

    Args:
        store: Has them.
        lasts_s: After which a row is read again.
    """

    def __init__(self, store: StateStore, lasts_s: float = LASTS_S) -> None:
        self._store = store
        self._lasts_s = lasts_s
        self._read: dict[tuple[str, ...], tuple[float, list[Row | None]]] = {}

    async def get_many(self, *keys: str) -> list[Row | None]:
        """Return the rows of these keys, in their order."""
        now = asyncio.get_running_loop().time()
        read_at, rows = self._read.get(keys, (0.0, None))
        if rows is not None and now - read_at < self._lasts_s:
            return rows
        rows = await self._store.get_many(keys)
        if len(self._read) >= _MAX_KEPT:
            self._read.clear()
        self._read[keys] = (now, rows)
        return rows

    async def get(self, key: str) -> Row | None:
        """Return one."""
        (row,) = await self.get_many(key)
        return row

    def forget(self) -> None:
        """Read everything again: this process has changed something."""
        self._read.clear()


#: More at once are those of a crowd; they are read again.
_MAX_KEPT = 4096
