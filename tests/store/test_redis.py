"""What only a server has: it goes away and comes back, it has a password, others write to it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio import Redis

from tests.redis_server import PASSWORD, RedisServer
from tests.store.writer import check_nothing_lost, start_writer, wait_for
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.redis import RedisStore

pytestmark = pytest.mark.redis


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that nobody else minds losing."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.mark.crash
async def test_a_server_that_is_killed_under_load_loses_and_doubles_nothing(
    own_server: RedisServer,
) -> None:
    count, chance = 250, random.Random(7)  # noqa: S311 - moments of kills
    writers = [start_writer(own_server.url, str(i), count) for i in range(4)]
    num_kills = 0
    while any(writer.poll() is None for writer in writers) and num_kills < 8:
        await asyncio.sleep(chance.uniform(0.1, 0.5))
        own_server.kill()
        num_kills += 1
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        await asyncio.to_thread(own_server.start)
    told = [await wait_for(writer) for writer in writers]
    store = RedisStore.open(own_server.url, 5)
    await check_nothing_lost(store, told, count)
    await store.close()
    assert num_kills >= 5


async def test_a_server_that_stays_away_is_one_sentence_and_no_password(
    own_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = RedisStore.open(own_server.url, patience_s=0.5)
    assert await store.append("log", {}) == 1
    own_server.kill()
    started = time.monotonic()
    with pytest.raises(ServiceUnavailableError, match="does not answer") as caught:
        await store.append("log", {})
    assert time.monotonic() - started < 3
    assert f"redis://127.0.0.1:{own_server.port}/0" in str(caught.value)
    own_server.start()
    assert await store.append("log", {}) == 2
    await store.close()
    said = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text} {store!r}"
    assert PASSWORD not in said


async def test_a_wrong_password_is_said_at_once(redis_server: RedisServer) -> None:
    store = RedisStore.open(redis_server.url.replace(PASSWORD, "guess"), patience_s=60)
    with pytest.raises(ServiceUnavailableError, match="does not take the user or the password"):
        await store.get("a")
    await store.close()


async def test_a_wait_outlasts_a_restart(own_server: RedisServer) -> None:
    ours, theirs = (RedisStore.open(own_server.url, patience_s=20) for _ in range(2))
    await ours.append("log", {})
    wait = asyncio.create_task(ours.wait("log", 1, timeout_s=20))
    await asyncio.sleep(0.2)
    own_server.kill()
    await asyncio.sleep(0.2)
    await asyncio.to_thread(own_server.start)
    await theirs.append("log", {})
    assert await asyncio.wait_for(wait, 5) is True
    await ours.close()
    await theirs.close()


async def test_an_append_of_another_process_wakes_within_half_a_second(
    redis_server: RedisServer,
) -> None:
    ours, theirs = (RedisStore.open(redis_server.url, patience_s=5) for _ in range(2))
    await ours.wait("log", 0, timeout_s=0.2)  # hears by now
    for position in range(3):
        wait = asyncio.create_task(ours.wait("log", position, timeout_s=10))
        await ours.get("a turn of the server, so that the wait has looked")
        started = time.monotonic()
        await theirs.append("log", {})
        assert await wait is True
        assert time.monotonic() - started < 0.5
    await ours.close()
    await theirs.close()


async def test_many_who_wait_share_the_way_to_the_server(redis_server: RedisServer) -> None:
    store = RedisStore.open(redis_server.url, patience_s=5)
    waits = [asyncio.create_task(store.wait(f"log{i % 3}", 0, timeout_s=20)) for i in range(300)]
    await asyncio.sleep(1)
    for i in range(3):
        await store.append(f"log{i}", {})
    assert await asyncio.wait_for(asyncio.gather(*waits), 5) == [True] * 300
    await store.close()


@pytest.mark.parametrize("is_durable", [True, False])
async def test_a_server_that_may_forget_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_durable: bool
) -> None:
    server = RedisServer(tmp_path / "redis", is_durable=is_durable)
    server.start()
    try:
        store = RedisStore.open(server.url, patience_s=5)
        await store.put("a", {})
        await store.put("a", {})
        await store.close()
    finally:
        server.kill()
    warnings = [one.message for one in caplog.records if one.levelno == logging.WARNING]
    assert len(warnings) == (0 if is_durable else 1)
    assert all("appendfsync always" in text for text in warnings)


async def test_what_a_change_waits_for_is_not_lost(redis_server: RedisServer) -> None:
    """Many who change one row at once: each sees what the one before made of it."""
    stores = [RedisStore.open(redis_server.url, patience_s=20) for _ in range(4)]

    def add(name: str, row: Row | None) -> Row:
        return {"seen": [*(row or {"seen": []})["seen"], name]}  # type: ignore[misc]

    names = [f"{i}" for i in range(80)]
    await asyncio.gather(
        *(
            stores[int(name) % 4].update("row", lambda row, name=name: add(name, row))  # type: ignore[misc]
            for name in names
        )
    )
    row = await stores[0].get("row")
    assert row is not None
    assert sorted(cast("list[str]", row["seen"])) == sorted(names)
    for store in stores:
        await store.close()


async def test_closing_in_the_middle_of_anything_leaves_nothing_open(
    redis_server: RedisServer,
) -> None:
    """A handshake has some five round trips, and closing meets each of them."""
    for number in range(60):
        store = RedisStore.open(redis_server.url, patience_s=5)
        wait = asyncio.create_task(store.wait("log", 0, timeout_s=20))
        calls = [asyncio.create_task(store.get(f"{i}")) for i in range(3)]
        await asyncio.sleep(number / 60 * 0.02)
        async with asyncio.timeout(3):
            await store.close()
            assert await wait is False
            ends = await asyncio.gather(*calls, return_exceptions=True)
        assert all(end is None or isinstance(end, ServiceUnavailableError) for end in ends)
        assert len(await _connected(redis_server)) == 1  # which asks


async def test_closing_ends_what_waits_for_a_server_that_is_away(own_server: RedisServer) -> None:
    store = RedisStore.open(own_server.url, patience_s=60)
    await store.put("a", {})
    own_server.kill()
    calls = [asyncio.create_task(store.get("a")) for _ in range(3)]
    await asyncio.sleep(0.3)
    async with asyncio.timeout(3):
        await store.close()
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(end, ServiceUnavailableError) for end in ends)
    assert all("is closed" in str(end) for end in ends)


async def _connected(server: RedisServer) -> Sequence[object]:
    found: Sequence[object] = []
    async with Redis.from_url(server.url) as client:
        for _ in range(200):
            found = await client.client_list()
            if len(found) == 1:
                break
            await asyncio.sleep(0.01)  # the server learns of an end a moment later
    return found
