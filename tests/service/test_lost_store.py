"""A Redis server that is away for a while: 503 meanwhile, and afterwards everything is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.redis_server import RedisServer
from tests.service.conftest import RECORDS, not_loaded, only_tiny
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.store.redis import RedisStore

pytestmark = pytest.mark.redis


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


async def test_what_was_confirmed_is_there_when_the_server_is_back(
    server: RedisServer, tmp_path: Path
) -> None:
    store = RedisStore.open(server.url, patience_s=0.3)
    config = ServiceConfig.load(home=tmp_path / "home", base_model="tiny")
    app = create_app(store, config, compute=not_loaded, check_base_model=only_tiny)
    headers = {"X-API-Key": await create_key(store, "anna")}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        client.headers.update(headers)
        run = {"config": {"adapter": "a", "base_model": "tiny", "steps": 4}, "records": RECORDS}
        started = await client.post("/api/v1/runs", json=run)
        session = (await client.post("/api/v1/create_session", json={})).json()
        server.kill()
        asked = [
            await client.get("/api/v1/runs"),
            await client.post("/api/v1/session_heartbeat", json=session),
            await client.get("/v1/models"),
            await client.get("/readyz"),
        ]
        assert [one.status_code for one in asked] == [503] * 4
        assert all(int(one.headers["Retry-After"]) > 0 for one in asked)
        server.start()
        # The same calls again are all that it takes.
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/api/v1/runs")).json() == {"runs": [started.json()]}
        beat = await client.post("/api/v1/session_heartbeat", json=session)
        assert beat.status_code == 200
        assert (await client.post("/api/v1/runs", json=run)).json() == started.json()
    await store.close()
