"""A journal over a store that fails: nothing is lost or doubled, and nobody is told too early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.runtime.lives import SPECS, A, B
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.runtime import journal as journal_module
from twinkle_jupyter.runtime.journal import Journal
from twinkle_jupyter.scheduling.request import AdamWSettings, OptimStep, OptimStepResult
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.sqlite import SqliteStore

STEP = OptimStep(A, 1, AdamWSettings(learning_rate=1e-3))


class FailingStore:
    """The true store, whose next writes fail: before they are done, or after, unheard."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.num_failing = 0
        self.is_written_all_the_same = False

    async def append_all(self, log: str, entries: Sequence[Row]) -> int:
        if self.num_failing:
            self.num_failing -= 1
            if self.is_written_all_the_same:
                await self._store.append_all(log, entries)
            raise ServiceUnavailableError("The disk is full.")
        return await self._store.append_all(log, entries)

    async def last_position(self, log: str) -> int:
        return await self._store.last_position(log)


@pytest.fixture
async def true_store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.sqlite3")
    yield store
    await store.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_PAUSE_S", 0.01)


async def _kinds(store: SqliteStore) -> list[object]:
    return [entry.entry["kind"] for entry in await store.read("journal")]


@pytest.mark.parametrize("is_written", [False, True])
async def test_a_write_that_fails_is_repeated_and_not_doubled(
    true_store: SqliteStore, is_written: bool
) -> None:
    failing = FailingStore(true_store)
    failing.num_failing, failing.is_written_all_the_same = 1, is_written
    journal = Journal(failing, "journal")  # type: ignore[arg-type]
    journal.add_adapter(A, SPECS[A], "ada", "background")
    journal.accept(STEP, journal.encode(STEP))
    await journal.flushed()
    journal.remove_adapter(A)
    await journal.flushed()
    assert await _kinds(true_store) == ["added", "op", "removed"]
    assert journal.position == 3


async def test_nobody_hears_of_what_is_not_on_disk(
    true_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_PATIENCE_S", 0.1)
    failing = FailingStore(true_store)
    failing.num_failing = 1_000
    is_lost = asyncio.Event()
    journal = Journal(failing, "journal", on_lost=is_lost.set)  # type: ignore[arg-type]
    journal.accept(STEP, journal.encode(STEP))
    for _ in range(2):
        with pytest.raises(ServiceUnavailableError, match="The disk is full"):
            await journal.flushed()
    assert is_lost.is_set()
    assert await _kinds(true_store) == []


async def test_two_trainers_on_one_journal_both_notice(true_store: SqliteStore) -> None:
    lost: list[str] = []
    first = Journal(true_store, "journal", on_lost=lambda: lost.append("first"))
    second = Journal(true_store, "journal", on_lost=lambda: lost.append("second"))
    first.remove_adapter(A)
    await first.flushed()
    second.remove_adapter(B)
    with pytest.raises(ServiceUnavailableError, match="written by somebody else"):
        await second.flushed()
    first.remove_adapter(A)
    with pytest.raises(ServiceUnavailableError, match="written by somebody else"):
        await first.flushed()
    assert lost == ["second", "first"]


async def test_an_op_is_written_while_it_is_computed(true_store: SqliteStore) -> None:
    journal = Journal(true_store, "journal")
    journal.accept(STEP, journal.encode(STEP))
    assert await true_store.wait("journal", 0, 5)
    assert await _kinds(true_store) == ["op"]
    assert journal.first_needed == 1
    journal.record([STEP], [OptimStepResult(1, 0.5, 0.1)], 8192)
    assert journal.first_needed == 3
    await journal.flushed()
