"""One leader at a time, whoever dies, and no gap that is longer than a lease."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from twinkle_jupyter.errors import ConflictError, ServiceUnavailableError
from twinkle_jupyter.launch.leader import NAME, Duty, Leader
from twinkle_jupyter.store.hold import Hold, held
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.memory import MemoryStore

LEASE_S = 0.8


class WayToStore(MemoryStore):
    """A store that two have, of which one can lose the way to it."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self._store = store
        self.is_cut = False

    async def put_if_absent(self, key: str, row: Row, *, ttl_s: float | None = None) -> bool:
        return await self._reached().put_if_absent(key, row, ttl_s=ttl_s)

    async def replace(
        self, key: str, before: Row, after: Row, *, ttl_s: float | None = None
    ) -> bool:
        return await self._reached().replace(key, before, after, ttl_s=ttl_s)

    async def update(self, key: str, change: Callable[[Row | None], Row]) -> Row:
        return await self._reached().update(key, change)

    def _reached(self) -> MemoryStore:
        if self.is_cut:
            raise ServiceUnavailableError("The store is away.")
        return self._store


@dataclass
class Candidate:
    """One service process, and when it led."""

    way: WayToStore
    #: Epoch, first and last moment of each time.
    led: list[tuple[int, float, float]] = field(default_factory=list)

    async def run(self) -> None:
        await Leader(self.way, [Duty("notes", LEASE_S / 50, self._note)], LEASE_S).run()

    async def _note(self, epoch: int) -> None:
        moment = asyncio.get_running_loop().time()
        if self.led and self.led[-1][0] == epoch:
            self.led[-1] = (epoch, self.led[-1][1], moment)
        else:
            self.led.append((epoch, moment, moment))


def _candidates(count: int) -> list[Candidate]:
    store = MemoryStore()
    return [Candidate(WayToStore(store)) for _ in range(count)]


async def _until(check: Callable[[], object]) -> float:
    start = asyncio.get_running_loop().time()
    async with asyncio.timeout(10):
        while True:
            if check():
                break
            await asyncio.sleep(0.01)
    return asyncio.get_running_loop().time() - start


async def test_a_leader_that_loses_the_way_has_stopped_before_the_next_one_begins() -> None:
    candidates = _candidates(3)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one.run()) for one in candidates]
        for turn in range(1, 3):
            await _until(lambda turn=turn: sum(len(one.led) for one in candidates) == turn)  # type: ignore[misc]
            await asyncio.sleep(1.5 * LEASE_S)  # longer than it was elected for
            assert sum(len(one.led) for one in candidates) == turn
            leader = max(candidates, key=lambda one: one.led[-1][1] if one.led else 0.0)
            leader.way.is_cut = True
            await _until(lambda turn=turn: sum(len(one.led) for one in candidates) > turn)  # type: ignore[misc]
            leader.way.is_cut = False
        for task in running:
            task.cancel()
    led = sorted(turn for one in candidates for turn in one.led)
    assert [epoch for epoch, _, _ in led] == list(range(1, len(led) + 1))
    for (_, _, last), (_, first, _) in itertools.pairwise(led):
        assert last < first < last + 2 * LEASE_S


async def test_a_leader_that_ends_in_order_is_followed_at_once() -> None:
    first, second = _candidates(2)
    async with asyncio.TaskGroup() as tasks:
        ends = tasks.create_task(first.run())
        await _until(lambda: first.led)
        stays = tasks.create_task(second.run())
        await asyncio.sleep(LEASE_S / 4)
        assert second.led == []
        ends.cancel()
        assert await _until(lambda: second.led) < LEASE_S / 2
        stays.cancel()


async def test_a_duty_that_fails_is_told_of_and_done_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors = [ConflictError("It is in use."), RuntimeError("unheard of")]
    done: list[int] = []

    async def work(epoch: int) -> None:
        if errors:
            raise errors.pop(0)
        done.append(epoch)

    caplog.set_level(logging.WARNING)
    leader = asyncio.create_task(Leader(MemoryStore(), [Duty("sweeping", 0.01, work)]).run())
    await _until(lambda: len(done) > 1)
    leader.cancel()
    await asyncio.wait({leader})
    assert set(done) == {1}
    said = [record.message for record in caplog.records]
    assert said == ["sweeping: It is in use.", "sweeping failed"]


async def test_a_block_ends_when_its_hold_is_somebody_elses() -> None:
    store = MemoryStore()

    async def lose() -> None:
        async with held(store, NAME, LEASE_S, look_every_s=0.01):
            await store.put(Hold.key(NAME), {"by": "somebody else"})
            await asyncio.sleep(60)

    with pytest.raises(ServiceUnavailableError, match="leader was lost to another process"):
        await asyncio.wait_for(lose(), 5)
    assert await store.get(Hold.key(NAME)) == {"by": "somebody else"}
