"""A `StateStore` in Redis: for services on several hosts, which share it.

An entry is as durable when `append` returns as the server's settings make it: see
`docs/how-to/redis.md`. A server that is killed and started again loses nothing and doubles nothing,
also of what was under way.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self, cast
from uuid import uuid4

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.store import redis_scripts
from twinkle_jupyter.store.interface import LogEntry, Row
from twinkle_jupyter.store.redis_link import RedisLink
from twinkle_jupyter.store.redis_news import RedisNews
from twinkle_jupyter.store.row_text import dump_row, load_row

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: Of every name that is ours on the server.
PREFIX = "twinkle:"
_ROWS, _KEYS, _EXPIRIES = f"{PREFIX}rows", f"{PREFIX}keys", f"{PREFIX}expiries"
_CHANNEL = f"{PREFIX}news"
#: Nobody waits longer without looking.
_LOOK_AGAIN_S = 1.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.1


class RedisStore:
    """Rows and logs in Redis; see `StateStore` for what each call promises.

    Every call raises `ServiceUnavailableError` when the server stays away for longer than the
    store's patience, refuses, or the store was closed. Rows hold finite numbers only.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._news = RedisNews(link, _CHANNEL)

    @classmethod
    def open(cls, url: str, patience_s: float) -> Self:
        """Prepare the way to the server; nothing is sent before the first call.

        Args:
            url: `redis://`, `rediss://` or `unix://`; a database number keeps deployments apart.
            patience_s: How long a server that is away is tried again.

        Raises:
            MissingDependencyError: There is no redis-py.
        """
        return cls(RedisLink(url, patience_s))

    async def get(self, key: str) -> Row | None:
        """Return the row, or None."""
        return (await self.get_many((key,)))[0]

    async def get_many(self, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows of these keys, in their order, as they are at one moment."""
        return [_load(value) for value in await self._get(keys)]

    async def put(self, key: str, row: Row, *, ttl_s: float | None = None) -> None:
        """Write the row, whatever was there."""
        await self._write_row(redis_scripts.PUT, key, dump_row(row), _ms(ttl_s))

    async def put_if_absent(self, key: str, row: Row, *, ttl_s: float | None = None) -> bool:
        """Write the row unless the key has one; tell whether it was written."""
        return await self._write_row(redis_scripts.PUT_IF_ABSENT, key, dump_row(row), _ms(ttl_s))

    async def replace(
        self, key: str, before: Row, after: Row, *, ttl_s: float | None = None
    ) -> bool:
        """Write `after` if the row is `before`; tell whether it was."""
        return await self._write_row(
            redis_scripts.REPLACE, key, dump_row(after), _ms(ttl_s), dump_row(before)
        )

    async def update(self, key: str, change: Callable[[Row | None], Row]) -> Row:
        """Replace the row by `change(row)`; again from the beginning if another one was faster."""
        pause_s = _SHORTEST_PAUSE_S
        while True:
            before = (await self._get((key,)))[0]
            row = change(_load(before))
            arguments = (dump_row(row), redis_scripts.KEEP, before or b"")
            if await self._write_row(redis_scripts.REPLACE, key, *arguments):
                return row
            # Jitter, so that those who met do not meet again.
            await asyncio.sleep(random.uniform(0, pause_s))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def delete(self, key: str) -> bool:
        """Remove the row; tell whether there was one."""
        return await self._write_row(redis_scripts.DELETE, key)

    async def list_rows(self, prefix: str) -> list[tuple[str, Row]]:
        """Return keys and rows whose key starts with `prefix`, in key order."""
        start = prefix.encode()
        # No UTF-8 has this byte.
        ends = (b"[" + start, b"(" + start + b"\xff") if start else (b"-", b"+")

        async def send(client: Redis) -> list[bytes]:
            answer = client.eval(redis_scripts.LIST, 3, _ROWS, _KEYS, _EXPIRIES, *ends)
            return cast("list[bytes]", await answer)

        found = await self._link.call(send)
        pairs = zip(found[::2], found[1::2], strict=True)
        return [(key.decode(), load_row(value)) for key, value in pairs]

    async def append(self, log: str, entry: Row) -> int:
        """Add an entry; return its position."""
        return await self.append_all(log, (entry,))

    async def append_all(self, log: str, entries: Sequence[Row]) -> int:
        """Add entries in their order, all or none; return the last one's position."""
        arguments = (_CHANNEL, log, *map(dump_row, entries))
        return int(await self._write(redis_scripts.APPEND, (_stream(log),), arguments))

    async def truncate(self, log: str, through: int) -> None:
        """Forget the entries up to and with this position; the newest one always stays."""

        async def send(client: Redis) -> object:
            return await client.eval(redis_scripts.TRUNCATE, 1, _stream(log), str(through))

        await self._link.call(send)

    async def read(self, log: str, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return up to `limit` entries with a position greater than `after`, in order."""

        async def send(client: Redis) -> _Entries:
            found = client.xrange(_stream(log), min=f"{after + 1}-0", count=limit)
            return cast("_Entries", await found)

        entries = await self._link.call(send)
        return [LogEntry(_position(key), load_row(fields[b"e"])) for key, fields in entries]

    async def last_position(self, log: str) -> int:
        """Return the newest entry's position, 0 for an empty log."""
        return await self._last_position(log, self._link.patience_s)

    async def wait(self, log: str, after: int, timeout_s: float) -> bool:
        """Wait until the log has an entry beyond `after`; False when time is over, or on `close`.

        A server that is away meanwhile has nothing new.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not self._link.is_closed:
            event = self._news.expect(log)  # before looking: nothing comes unseen in between
            try:
                if await self._is_beyond(log, after):
                    return True
                remaining = deadline - asyncio.get_running_loop().time()
                if remaining <= 0:
                    return False
                async with asyncio.timeout(min(remaining, _LOOK_AGAIN_S)):
                    await event.wait()
            except TimeoutError:
                continue
            finally:
                self._news.forget(log, event)
        return False

    async def check(self, timeout_s: float) -> None:
        """Return when the server answers now."""

        async def send(client: Redis) -> object:
            return await client.ping()

        try:
            async with asyncio.timeout(timeout_s):
                await self._link.call(send, patience_s=0.0)
        except TimeoutError as error:
            raise ServiceUnavailableError(
                f"The store {self._link.name} does not answer."
            ) from error

    async def close(self) -> None:
        """Release the connections; waiting calls end at once. Closing twice is fine."""
        if not self._link.is_closed:
            self._link.refuse()
            await self._news.close()
            await self._link.close()

    async def _is_beyond(self, log: str, after: int) -> bool:
        try:
            return await self._last_position(log, patience_s=0.0) > after
        except ServiceUnavailableError:
            return False

    async def _get(self, keys: Sequence[str]) -> list[bytes | None]:
        async def send(client: Redis) -> list[bytes | None]:
            answer = client.eval(redis_scripts.GET, 2, _ROWS, _EXPIRIES, *keys)
            return cast("list[bytes | None]", await answer)

        return await self._link.call(send)

    async def _last_position(self, log: str, patience_s: float) -> int:
        async def send(client: Redis) -> _Entries:
            return cast("_Entries", await client.xrevrange(_stream(log), count=1))

        newest = await self._link.call(send, patience_s)
        return _position(newest[0][0]) if newest else 0

    async def _write_row(self, script: str, *arguments: str | bytes) -> bool:
        return await self._write(script, (_ROWS, _KEYS, _EXPIRIES), arguments) == b"1"

    async def _write(
        self, script: str, keys: Sequence[str], arguments: Sequence[str | bytes]
    ) -> bytes:
        """Run a script of `redis_scripts` with one mark, however often it takes."""
        mark = f"{PREFIX}mark:{uuid4().hex}"

        async def send(client: Redis) -> bytes:
            answer = client.eval(script, 1 + len(keys), mark, *keys, *arguments)
            return cast("bytes", await answer)

        return await self._link.call(send)


_Entries = list[tuple[bytes, dict[bytes, bytes]]]


def _stream(log: str) -> str:
    return f"{PREFIX}log:{log}"


def _position(stream_id: bytes) -> int:
    return int(stream_id.partition(b"-")[0])


def _ms(ttl_s: float | None) -> str:
    return "" if ttl_s is None else str(round(1000 * ttl_s))


def _load(value: bytes | None) -> Row | None:
    return None if value is None else load_row(value)
