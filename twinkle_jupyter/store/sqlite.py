"""A `StateStore` in one SQLite file: the default on a single machine.

Any number of processes may open the file at once. An entry is on disk when `append` returns:
after `kill -9` the log may hold an entry that nobody heard of, never miss one that somebody did.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar, cast

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.store.interface import LogEntry, Row
from twinkle_jupyter.store.row_text import dump_row, load_row
from twinkle_jupyter.store.sqlite_thread import DatabaseThread, is_of_the_disk

_LOGGER = logging.getLogger(__name__)
T = TypeVar("T")

#: Between two attempts on a disk that takes nothing.
_PAUSE_S = 0.5

_PUT = "INSERT INTO rows VALUES (?, ?, ?) ON CONFLICT"
_SET = "SET value = excluded.value, expires_at = excluded.expires_at"


class SqliteStore:
    """Rows and logs in a SQLite file; see `StateStore` for what each call promises.

    Every call raises `ServiceUnavailableError` when the file is locked for too long, the disk has
    been full for longer than the store's patience, or the store was closed. Rows hold finite
    numbers only: JSON has no `nan`.
    """

    def __init__(self, thread: DatabaseThread, patience_s: float = 0.0) -> None:
        self._thread = thread
        self._patience_s = patience_s

    @classmethod
    def open(cls, path: Path, patience_s: float = 0.0, *, is_durable: bool = True) -> Self:
        """Open the file, made with its folder if it is not there. Blocks for some milliseconds.

        Args:
            path: Where it is.
            patience_s: How long a disk that takes nothing is tried again.
            is_durable: Whether a change is on disk when the call returns; else it is safe from a
                kill, not from a power cut.

        Raises:
            ServiceUnavailableError: The file is no database, from a newer release, or locked.
        """
        return cls(DatabaseThread(path, is_durable=is_durable), patience_s)

    async def get(self, key: str) -> Row | None:
        """Return the row, or None."""
        return await self._run(lambda connection: _get(connection, key))

    async def get_many(self, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows of these keys, in their order, as they are at one moment."""

        def job(connection: sqlite3.Connection) -> list[Row | None]:
            with _transaction(connection, "DEFERRED"):
                return [_get(connection, key) for key in keys]

        return await self._run(job)

    async def put(self, key: str, row: Row, *, ttl_s: float | None = None) -> None:
        """Write the row, whatever was there."""
        value = dump_row(row)

        def job(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                _forget_expired(connection, ttl_s)
                connection.execute(f"{_PUT} DO UPDATE {_SET}", (key, value, _moment(ttl_s)))

        await self._run(job)

    async def put_if_absent(self, key: str, row: Row, *, ttl_s: float | None = None) -> bool:
        """Write the row unless the key has one; tell whether it was written."""
        value = dump_row(row)

        def job(connection: sqlite3.Connection) -> bool:
            with _transaction(connection):
                _forget_expired(connection, ttl_s)
                cursor = connection.execute(
                    f"{_PUT} DO UPDATE {_SET} WHERE expires_at <= ?",
                    (key, value, _moment(ttl_s), _now()),
                )
            return cursor.rowcount == 1

        return await self._run(job)

    async def replace(
        self, key: str, before: Row, after: Row, *, ttl_s: float | None = None
    ) -> bool:
        """Write `after` if the row is `before`; tell whether it was."""
        values = dump_row(before), dump_row(after)

        def job(connection: sqlite3.Connection) -> bool:
            cursor = connection.execute(
                "UPDATE rows SET value = ?, expires_at = ? WHERE key = ? AND value = ?"
                " AND (expires_at IS NULL OR expires_at > ?)",
                (values[1], _moment(ttl_s), key, values[0], _now()),
            )
            return cursor.rowcount == 1

        return await self._run(job)

    async def update(self, key: str, change: Callable[[Row | None], Row]) -> Row:
        """Replace the row by `change(row)` in one transaction; `change` runs on another thread."""

        def job(connection: sqlite3.Connection) -> Row:
            with _transaction(connection):
                row = change(_get(connection, key))
                connection.execute(
                    f"{_PUT} DO UPDATE SET value = excluded.value, expires_at ="
                    " CASE WHEN expires_at > ? THEN expires_at END",
                    (key, dump_row(row), None, _now()),
                )
            return row

        return await self._run(job)

    async def delete(self, key: str) -> bool:
        """Remove the row; tell whether there was one."""

        def job(connection: sqlite3.Connection) -> bool:
            cursor = connection.execute(
                "DELETE FROM rows WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)",
                (key, _now()),
            )
            return cursor.rowcount == 1

        return await self._run(job)

    async def list_rows(self, prefix: str) -> list[tuple[str, Row]]:
        """Return keys and rows whose key starts with `prefix`, in key order."""

        def job(connection: sqlite3.Connection) -> list[tuple[str, Row]]:
            found = []
            for key, value in connection.execute(
                "SELECT key, value FROM rows WHERE key >= ?"
                " AND (expires_at IS NULL OR expires_at > ?) ORDER BY key",
                (prefix, _now()),
            ):
                if not key.startswith(prefix):
                    break
                found.append((key, load_row(value)))
            return found

        return await self._run(job)

    async def append(self, log: str, entry: Row) -> int:
        """Add an entry, durable when this returns; return its position."""
        return await self.append_all(log, (entry,))

    async def append_all(self, log: str, entries: Sequence[Row]) -> int:
        """Add entries in their order, all or none; return the last one's position."""
        values = [dump_row(entry) for entry in entries]

        def job(connection: sqlite3.Connection) -> int:
            with _transaction(connection):
                last = _last_position(connection, log)
                connection.executemany(
                    "INSERT INTO entries VALUES (?, ?, ?)",
                    [(log, last + number, value) for number, value in enumerate(values, start=1)],
                )
            # From the thread, so that a caller who is cancelled meanwhile wakes them all the same.
            self._thread.wake()
            return last + len(values)

        return await self._run(job)

    async def truncate(self, log: str, through: int) -> None:
        """Forget the entries up to and with this position; the newest one always stays."""

        def job(connection: sqlite3.Connection) -> None:
            # Positions are counted on from the newest.
            connection.execute(
                "DELETE FROM entries WHERE log = ? AND position <= ? AND position <"
                " (SELECT MAX(position) FROM entries WHERE log = ?)",
                (log, through, log),
            )

        await self._run(job)

    async def read(self, log: str, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return up to `limit` entries with a position greater than `after`, in order."""

        def job(connection: sqlite3.Connection) -> list[LogEntry]:
            rows = connection.execute(
                "SELECT position, entry FROM entries WHERE log = ? AND position > ?"
                " ORDER BY position LIMIT ?",
                (log, after, limit),
            )
            return [LogEntry(position, load_row(value)) for position, value in rows]

        return await self._run(job)

    async def last_position(self, log: str) -> int:
        """Return the newest entry's position, 0 for an empty log."""
        return await self._run(lambda connection: _last_position(connection, log))

    async def wait(self, log: str, after: int, timeout_s: float) -> bool:
        """Wait until the log has an entry beyond `after`; False when time is over, or on `close`.

        What another process appended is seen after some 30 ms.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not self._thread.is_closed:
            news = self._thread.news()  # before looking: nothing can come unseen in between
            try:
                if await self.last_position(log) > after:
                    return True
                remaining = deadline - asyncio.get_running_loop().time()
                # Not `wait_for`, which loses a cancellation that comes together with the news.
                async with asyncio.timeout(max(remaining, 0)):
                    await asyncio.wrap_future(news)
            except TimeoutError:
                return False
            finally:
                self._thread.forget(news)
        return False

    async def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job; where the disk takes nothing, again until it does or patience is over.

        What failed has left no trace: SQLite rolls it back.
        """
        deadline = time.monotonic() + self._patience_s
        has_told = False
        while True:
            try:
                return await self._thread.run(job)
            except ServiceUnavailableError as error:
                if not is_of_the_disk(error) or time.monotonic() > deadline:
                    raise
                if not has_told:
                    _LOGGER.warning("%s Trying again.", error)
                has_told = True
            await asyncio.sleep(_PAUSE_S)

    async def check(self, timeout_s: float) -> None:
        """Return when the file can be read now."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._thread.run(lambda connection: _last_position(connection, ""))
        except TimeoutError as error:
            raise ServiceUnavailableError("The store's disk does not answer.") from error

    async def close(self) -> None:
        """Release the file and the thread; waiting calls end at once. Closing twice is fine."""
        await asyncio.to_thread(self._thread.close)


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    # IMMEDIATE: the write lock is taken before reading, so that no other process writes between.
    connection.execute(f"BEGIN {kind}")
    yield
    connection.execute("COMMIT")


def _now() -> float:
    return datetime.now(tz=UTC).timestamp()


def _moment(ttl_s: float | None) -> float | None:
    return None if ttl_s is None else _now() + ttl_s


def _get(connection: sqlite3.Connection, key: str) -> Row | None:
    found = connection.execute(
        "SELECT value FROM rows WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)",
        (key, _now()),
    ).fetchone()
    return None if found is None else load_row(found[0])


def _forget_expired(connection: sqlite3.Connection, ttl_s: float | None) -> None:
    """Whoever adds what goes takes away what has gone: there is never much of it."""
    if ttl_s is not None:
        connection.execute("DELETE FROM rows WHERE expires_at <= ?", (_now(),))


def _last_position(connection: sqlite3.Connection, log: str) -> int:
    found = connection.execute("SELECT MAX(position) FROM entries WHERE log = ?", (log,)).fetchone()
    return cast("int", found[0]) if found[0] is not None else 0
