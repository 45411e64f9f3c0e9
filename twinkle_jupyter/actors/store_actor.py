"""A store in the memory of a cluster, for one that has neither a disk nor a Redis server.

It ends with its process: Ray does not start it again, since it would be there and empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import ray

from twinkle_jupyter.actors.names import NAMESPACE, STORE_ACTOR
from twinkle_jupyter.store.interface import LogEntry, Row
from twinkle_jupyter.store.memory import MemoryStore

#: Where calls wait for news, of which there may be as many as there are readers.
WAITS = "waits"
_MAX_WAITS = 1000


class StoreActor:
    """`store.memory.MemoryStore` behind Ray; `actors.ray_store.RayStore` is its other side."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    async def get_many(self, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows of these keys."""
        return await self._store.get_many(keys)

    async def get_text(self, key: str) -> str | None:
        """Return the row as it is kept."""
        return await self._store.get_text(key)

    async def put(self, key: str, row: Row, ttl_s: float | None) -> None:
        """Write the row."""
        await self._store.put(key, row, ttl_s=ttl_s)

    async def put_if_absent(self, key: str, row: Row, ttl_s: float | None) -> bool:
        """Write the row unless the key has one."""
        return await self._store.put_if_absent(key, row, ttl_s=ttl_s)

    async def replace(self, key: str, before: Row, after: Row, ttl_s: float | None) -> bool:
        """Write `after` if the row is `before`."""
        return await self._store.replace(key, before, after, ttl_s=ttl_s)

    async def swap_text(self, key: str, before: str | None, after: str) -> bool:
        """Write a row's text if what is there is `before`."""
        return await self._store.swap_text(key, before, after)

    async def delete(self, key: str) -> bool:
        """Remove the row."""
        return await self._store.delete(key)

    async def list_rows(self, prefix: str) -> list[tuple[str, Row]]:
        """Return keys and rows whose key starts with `prefix`."""
        return await self._store.list_rows(prefix)

    async def append_all(self, log: str, entries: Sequence[Row]) -> int:
        """Add entries; return the last one's position."""
        return await self._store.append_all(log, entries)

    async def truncate(self, log: str, through: int) -> None:
        """Forget old entries."""
        await self._store.truncate(log, through)

    async def read(self, log: str, after: int, limit: int) -> list[LogEntry]:
        """Return entries beyond `after`."""
        return await self._store.read(log, after, limit)

    async def last_position(self, log: str) -> int:
        """Return the newest entry's position."""
        return await self._store.last_position(log)

    async def wait(self, log: str, after: int, timeout_s: float) -> bool:
        """Wait until there is an entry beyond `after`."""
        return await self._store.wait(log, after, timeout_s)


def place_store(name: str = STORE_ACTOR) -> None:
    """Create the store of this cluster, or leave the one that is there as it is."""
    # Ray's types do not know the groups.
    remote = ray.remote(concurrency_groups={WAITS: _MAX_WAITS})  # type: ignore[call-overload]
    remote(StoreActor).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=0,
        max_concurrency=1000,
    ).remote()
