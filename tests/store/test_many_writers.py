"""Eight processes write at once: nothing is lost, each position is there once, order is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import ray

from tests.redis_server import RedisServer
from tests.store.writer import Acknowledged, check_nothing_lost, start_writer, wait_for, write
from twinkle_jupyter.actors.ray_store import RayStore
from twinkle_jupyter.store.opening import open_store

_WRITERS, _COUNT = 8, 30


async def _check_processes(address: Path | str) -> None:
    writers = [start_writer(address, str(i), _COUNT) for i in range(_WRITERS)]
    told = [await wait_for(writer) for writer in writers]
    store = open_store(address, 5)
    await check_nothing_lost(store, told, _COUNT)
    await store.close()


async def test_a_file(tmp_path: Path) -> None:
    await _check_processes(tmp_path / "store.sqlite3")  # not there yet: they race to create it, too


@pytest.mark.redis
async def test_a_redis_server(redis_server: RedisServer) -> None:
    await _check_processes(redis_server.url)


def _write_to_actor(store: str, name: str) -> list[Acknowledged]:
    told: list[Acknowledged] = []

    async def run() -> None:
        await write(RayStore.open(store), name, _COUNT, told.append)

    asyncio.run(run())
    return told


@pytest.mark.ray
async def test_an_actor(one_ray: Callable[[], str]) -> None:
    name = one_ray()
    remote = ray.remote(num_cpus=0)(_write_to_actor)
    told = await asyncio.gather(*(remote.remote(name, str(i)) for i in range(_WRITERS)))
    await check_nothing_lost(RayStore.open(name), told, _COUNT)
