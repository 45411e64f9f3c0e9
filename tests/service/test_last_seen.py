"""Who was here last is noted beside the answers, which wait for no note."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx

from tests.service.conftest import not_loaded, only_tiny
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.service.last_seen import read_last_seen
from twinkle_jupyter.store.sqlite import SqliteStore


async def test_no_answer_waits_for_a_note_that_cannot_be_written(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "store.sqlite3")
    counts_file = tmp_path / "counts.sqlite3"
    counts = SqliteStore.open(counts_file, patience_s=60, is_durable=False)
    config = ServiceConfig.load(home=tmp_path / "home", base_model="tiny")
    app = create_app(
        store, config, compute=not_loaded, check_base_model=only_tiny, quota_store=counts
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        anna = {"X-API-Key": await create_key(store, "anna")}
        ben = {"X-API-Key": await create_key(store, "ben")}
        with closing(sqlite3.connect(counts_file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            answer = await client.get("/api/v1/runs", headers=anna)
            assert answer.status_code == 200
            assert time.monotonic() - started < 5
            other.execute("ROLLBACK")
        await client.get("/api/v1/runs", headers=ben)
        assert (await read_last_seen(counts))["ben"] > "2"
    await counts.close()
    await store.close()
