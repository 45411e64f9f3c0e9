"""The one thread that touches a store's SQLite file, so that no event loop ever waits for a disk.

Jobs run one after another on the thread's own connection. While somebody waits, the thread also
looks at `PRAGMA data_version`, which changes when another process commits, and wakes the waiters.
Nothing here knows rows or logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from twinkle_jupyter.errors import ServiceUnavailableError

T = TypeVar("T")

#: Seconds between two looks at what other processes wrote, while somebody waits.
POLL_S = 0.03
#: Seconds to wait for another process's transaction.
BUSY_TIMEOUT_S = 15.0
#: Version of the tables; a file with a higher one is from a newer release.
SCHEMA_VERSION = 2

#: `expires_at`: seconds since 1970, or nothing. Version 1 had no such column.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    log TEXT NOT NULL, position INTEGER NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (log, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rows_that_expire ON rows (expires_at) WHERE expires_at IS NOT NULL;
"""


class DatabaseThread:
    """Runs jobs on one SQLite connection and wakes those who wait for news.

    Raises:
        ServiceUnavailableError: The file cannot be opened, read or written; on construction and
            from `run`.
    """

    def __init__(self, path: Path, *, is_durable: bool = True) -> None:
        self._path = path
        self._is_durable = is_durable
        self._jobs: queue.SimpleQueue[Callable[[sqlite3.Connection], None] | None] = (
            queue.SimpleQueue()
        )
        self._lock = threading.Lock()
        self._waiters: set[Future[None]] = set()
        self._closed = False
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._work, args=(opened,), name=f"store {path.name}", daemon=True
        )
        self._thread.start()
        opened.result(timeout=2 * BUSY_TIMEOUT_S)

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run the job on the thread; one that is cancelled before its turn never runs."""
        future: Future[T] = Future()

        def step(connection: sqlite3.Connection) -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(job(connection))
            except sqlite3.Error as error:
                _roll_back(connection)
                future.set_exception(self._in_words(error))
            except BaseException as error:  # noqa: BLE001 - passed on to whoever awaits the job
                _roll_back(connection)
                future.set_exception(error)

        with self._lock:
            if self._closed:
                raise ServiceUnavailableError(f"The store {self._path.name} is closed.")
            self._jobs.put(step)
        return await asyncio.wrap_future(future)

    def news(self) -> Future[None]:
        """Return a future that ends when something may have been written, or on closing."""
        future: Future[None] = Future()
        with self._lock:
            if self._closed:
                future.set_result(None)
                return future
            self._waiters.add(future)
        self._jobs.put(_nothing)  # the thread may be asleep without a time-out
        return future

    def forget(self, future: Future[None]) -> None:
        """Stop waiting."""
        with self._lock:
            self._waiters.discard(future)

    def wake(self) -> None:
        """End every wait, so that each looks again."""
        with self._lock:
            waiters, self._waiters = self._waiters, set()
        for future in waiters:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    @property
    def is_closed(self) -> bool:
        """Whether no job is taken any more."""
        return self._closed

    def close(self) -> None:
        """Finish the jobs already taken, then end the thread; waits end at once. Blocks."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self.wake()
        self._thread.join(timeout=2 * BUSY_TIMEOUT_S)

    def _work(self, opened: Future[None]) -> None:
        try:
            connection = _connect(self._path, is_durable=self._is_durable)
        except ServiceUnavailableError as error:  # first, since it is an OSError, too
            opened.set_exception(error)
            return
        except (sqlite3.Error, OSError) as error:
            opened.set_exception(self._in_words(error))
            return
        opened.set_result(None)
        try:
            self._serve(connection)
        finally:
            connection.close()

    def _serve(self, connection: sqlite3.Connection) -> None:
        seen, looked_at = -1, 0.0
        while True:
            try:
                job = self._jobs.get(timeout=POLL_S if self._waiters else None)
            except queue.Empty:
                job = _nothing
            if job is None:
                return
            job(connection)
            if self._waiters and time.monotonic() - looked_at >= POLL_S:
                looked_at, version = time.monotonic(), _data_version(connection)
                if version != seen:
                    seen = version
                    self.wake()

    def _in_words(self, error: sqlite3.Error | OSError) -> ServiceUnavailableError:
        name = self._path.name
        code = getattr(error, "sqlite_errorcode", None) or 0
        match code & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                what = f"The store {name} is locked: another process has held it too long."
                hint = "Try again; `twinkle log` names the process that holds it."
            case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
                what = f"The store {name} cannot grow: the disk is full, or fails ({error})."
                hint = "Free some space; everything confirmed so far is safe."
            case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
                what = f"The store {name} is not a readable database: {error}."
                hint = "Move the file away and start again; the runs in it are lost."
            case _:
                what = f"The store {name} cannot be used: {error}."
                hint = "Check that its folder exists and can be written to."
        failure = ServiceUnavailableError(what, hint)
        failure.__cause__ = error
        return failure


def is_of_the_disk(error: ServiceUnavailableError) -> bool:
    """Whether it was the disk that took nothing: full, read-only or failing."""
    cause = error.__cause__
    code = cause.sqlite_errorcode if isinstance(cause, sqlite3.OperationalError) else 0
    return code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)


def _nothing(_connection: sqlite3.Connection) -> None:
    """Only wake the thread."""


def _data_version(connection: sqlite3.Connection) -> int:
    try:
        return int(connection.execute("PRAGMA data_version").fetchone()[0])
    except sqlite3.Error:
        # Whoever waits is woken, looks, and gets the error from a job of their own.
        return -1


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        # What fails on a broken disk is told by the job that failed; the thread lives on.
        with contextlib.suppress(sqlite3.Error):
            connection.rollback()


def _connect(path: Path, *, is_durable: bool) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    try:
        _use_wal(connection)
        # FULL: an acknowledged entry survives a power cut, not only a killed process.
        connection.execute(f"PRAGMA synchronous={'FULL' if is_durable else 'NORMAL'}")
        _refuse_newer(connection, path.name)
        connection.execute("BEGIN IMMEDIATE")
        _add_expiry(connection)
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _add_expiry(connection: sqlite3.Connection) -> None:
    """Bring a file of version 1 up to date."""
    columns = {column[1] for column in connection.execute("PRAGMA table_info(rows)")}
    if columns and "expires_at" not in columns:
        connection.execute("ALTER TABLE rows ADD COLUMN expires_at REAL")


def _refuse_newer(connection: sqlite3.Connection, name: str) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise ServiceUnavailableError(
            f"The store {name} was written by a newer release (layout {version}; this one knows "
            f"{SCHEMA_VERSION}).",
            "Update with `pip install -U twinkle-jupyter`.",
        )


def _use_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not call its busy handler while it changes the journal mode, so that several
    # processes that create the file at once would get "locked" without this loop.
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
