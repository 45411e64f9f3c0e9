"""What only a file has: several processes, `kill -9`, and files that are not a store."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.store.writer import start_writer
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.store import sqlite_thread
from twinkle_jupyter.store.sqlite import SqliteStore


async def test_an_append_of_another_process_wakes_within_half_a_second(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    ours, theirs = SqliteStore.open(path), SqliteStore.open(path)
    for position in range(3):
        wait = asyncio.create_task(ours.wait("log", position, timeout_s=10))
        await ours.get("a turn of the thread, so that the wait has looked")
        started = time.monotonic()
        await theirs.append("log", {})
        assert await wait is True
        assert time.monotonic() - started < 0.5
    await ours.close()
    await theirs.close()


@pytest.mark.crash
async def test_every_acknowledged_entry_is_there_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    acknowledged = 0
    for round_index in range(3):
        writer = start_writer(path, str(round_index), 1_000_000)
        assert writer.stdout is not None
        for _ in range(40):
            acknowledged = int(writer.stdout.readline().split()[0])
        writer.kill()
        for line in writer.stdout.read().splitlines():
            acknowledged = int(line.split()[0])
        writer.wait(timeout=10)
        writer.stdout.close()
        store = SqliteStore.open(path)
        entries = await store.read("log", limit=1_000_000)
        await store.close()
        # At most the one entry that was written and not yet acknowledged comes on top.
        assert acknowledged <= len(entries) <= acknowledged + 1
        assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))


@pytest.mark.parametrize("size", [0, 1])
async def test_a_half_made_file_is_completed(tmp_path: Path, size: int) -> None:
    path = tmp_path / "store.sqlite3"
    if size == 0:
        path.touch()
    else:
        connection = sqlite3.connect(path)  # a header without tables
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("VACUUM")
        connection.close()
    store = SqliteStore.open(path)
    assert await store.append("log", {}) == 1
    await store.close()


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    path.write_text(json.dumps({"not": "a database"}) * 100)
    with pytest.raises(
        ServiceUnavailableError, match=r"The store store\.sqlite3 is not a readable"
    ):
        SqliteStore.open(path)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(ServiceUnavailableError, match=r"The store store\.sqlite3 cannot be used"):
        SqliteStore.open(tmp_path / "home" / "store.sqlite3")


def test_a_store_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=7")
    connection.close()
    with pytest.raises(
        ServiceUnavailableError,
        match=r"^The store \S+ was written by a newer release .layout 7; this one knows 2",
    ):
        SqliteStore.open(path)


async def test_a_store_that_another_process_holds_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_thread, "BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "store.sqlite3"
    store = SqliteStore.open(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(ServiceUnavailableError, match=r"is locked: another process"):
        await store.append("log", {})
    holder.execute("ROLLBACK")
    holder.close()
    assert await store.append("log", {}) == 1
    await store.close()


async def test_a_full_disk_is_one_sentence_and_reading_goes_on(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "store.sqlite3")
    await store.append("log", {})

    def limit_pages(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count=1")  # SQLite's own way to meet SQLITE_FULL

    await store._thread.run(limit_pages)
    with pytest.raises(ServiceUnavailableError, match=r"cannot grow: the disk is full"):
        await store.append("log", {"text": "x" * 100_000})
    assert await store.last_position("log") == 1
    await store.close()


async def test_a_store_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
    )
    connection.execute("INSERT INTO rows VALUES ('run/a', '{\"x\":1}')")
    connection.execute("PRAGMA user_version=1")
    connection.commit()
    connection.close()
    store = SqliteStore.open(path)
    assert await store.list_rows("") == [("run/a", {"x": 1})]
    assert await store.put_if_absent("run/a", {}, ttl_s=60) is False
    await store.put("run/a", {"x": 2}, ttl_s=0)
    assert await store.get("run/a") is None
    await store.close()
