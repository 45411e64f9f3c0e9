"""Every store there is, one after another: a new backend joins the suite with one more line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.sqlite import SqliteStore

OpenStore = Callable[[], StateStore]


@pytest.fixture(params=["sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """Opens the same store again at each call, as another process would."""
    return lambda: SqliteStore.open(tmp_path / "home" / "store.sqlite3")


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[StateStore]:
    opened = open_store()
    yield opened
    await opened.close()
