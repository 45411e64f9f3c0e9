"""The real application over a real SQLite store, called in-process; two users with keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import InvalidConfigError, ServiceUnavailableError
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.service.parts import ServedModel
from twinkle_jupyter.store.records import PhaseRow
from twinkle_jupyter.store.sqlite import SqliteStore

RECORDS = [
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Arr ☠"}]},
    {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me."}]},
]


async def not_loaded(_: str) -> ServedModel:
    raise ServiceUnavailableError("The base model is still being loaded.", "Try again soon.")


def only_tiny(name: str) -> None:
    if name != "tiny":
        raise InvalidConfigError(f"There is no base model {name!r}.", "There is: tiny.")


@dataclass(frozen=True)
class Service:
    """The application, its store, and a client for each of two users."""

    app: FastAPI
    store: SqliteStore
    config: ServiceConfig
    anna: httpx.AsyncClient
    ben: httpx.AsyncClient
    nobody: httpx.AsyncClient

    async def start(self, adapter: str = "pirate", **settings: object) -> dict[str, object]:
        """Start a run of Anna's."""
        config = {"adapter": adapter, "base_model": "tiny", "steps": 40, **settings}
        answer = await self.anna.post("/api/v1/runs", json={"config": config, "records": RECORDS})
        assert answer.status_code == 201, answer.text
        body: dict[str, object] = answer.json()
        return body


def _client(app: FastAPI, key: str = "") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    config = ServiceConfig.load(
        home=tmp_path, base_model="tiny", http={"max_request_bytes": 100_000}
    )
    store = SqliteStore.open(config.store_path)
    await store.put(PhaseRow.KEY, PhaseRow("ready", "").to_row())
    app = create_app(store, config, compute=not_loaded, check_base_model=only_tiny)
    keys = [await create_key(store, owner) for owner in ("anna", "ben")]
    async with (
        _client(app, keys[0]) as anna,
        _client(app, keys[1]) as ben,
        _client(app) as nobody,
    ):
        yield Service(app, store, config, anna, ben, nobody)
    await store.close()
