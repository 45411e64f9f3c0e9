"""Every store there is, one after another: a new backend joins the suite with one more line.

The memory of one process is the fourth one, which the actor keeps its rows in.
"""

from __future__ import annotations

import gc
import itertools
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from tests.redis_server import RedisServer
from twinkle_jupyter.actors.names import NAMESPACE, STORE_ACTOR
from twinkle_jupyter.actors.ray_store import RayStore
from twinkle_jupyter.actors.store_actor import StoreActor, place_store
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.memory import MemoryStore
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
    empty(one_redis)
    return one_redis


def empty(server: RedisServer) -> None:
    import redis

    with redis.Redis.from_url(server.url) as client:
        client.flushall()


@pytest.fixture(scope="session")
def one_ray() -> Iterator[Callable[[], str]]:
    """A cluster with a store in it; each call empties that and returns its name."""

    def make() -> str:
        actor: Any = ray.get_actor(STORE_ACTOR, NAMESPACE)
        ray.get(actor.__ray_call__.remote(_begin_anew))
        return STORE_ACTOR

    # It was imported with the tests, so that it can be given no token any more.
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        log_to_driver=False,
        configure_logging=False,
        namespace=NAMESPACE,
    )
    place_store()
    yield make
    ray.shutdown()
    with warnings.catch_warnings():
        # Ray does not wait for the processes that it has ended.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _begin_anew(actor: StoreActor) -> None:
    actor._store = MemoryStore()


BACKENDS = [
    "memory",
    "sqlite",
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("ray", marks=pytest.mark.ray),
]


@pytest.fixture(params=BACKENDS)
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], OpenStore]:
    """Each call makes an empty store, and returns what opens it as another process would."""
    numbers = itertools.count()

    def make_sqlite() -> OpenStore:
        path = tmp_path / "home" / f"{next(numbers)}.sqlite3"
        return lambda: SqliteStore.open(path)

    def make_redis() -> OpenStore:
        server: RedisServer = request.getfixturevalue("one_redis")
        empty(server)
        return lambda: RedisStore.open(server.url, patience_s=5)

    def make_ray() -> OpenStore:
        name = request.getfixturevalue("one_ray")()
        return lambda: RayStore.open(name)

    makers = {"sqlite": make_sqlite, "redis": make_redis, "ray": make_ray}
    return makers.get(request.param, lambda: MemoryStore)


@pytest.fixture
def open_store(make_store: Callable[[], OpenStore]) -> OpenStore:
    return make_store()


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[StateStore]:
    opened = open_store()
    yield opened
    await opened.close()
