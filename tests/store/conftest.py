"""Every store there is, one after another: a new backend joins the suite with one more line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.redis import RedisStore
from twinkle_jupyter.store.sqlite import SqliteStore

OpenStore = Callable[[], StateStore]


@pytest.fixture(scope="session")
def one_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_server(one_redis: RedisServer) -> RedisServer:
    """The server, with nothing in it."""
    import redis

    with redis.Redis.from_url(one_redis.url) as client:
        client.flushall()
    return one_redis


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """Opens the same store again at each call, as another process would."""
    if request.param == "sqlite":
        return lambda: SqliteStore.open(tmp_path / "home" / "store.sqlite3")
    server: RedisServer = request.getfixturevalue("redis_server")
    return lambda: RedisStore.open(server.url, patience_s=5)


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[StateStore]:
    opened = open_store()
    yield opened
    await opened.close()
