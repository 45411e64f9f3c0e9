"""Quotas: exact at the boundary, over two services on one file or server, as time moves."""

from __future__ import annotations

import asyncio
import math
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.redis_server import RedisServer
from twinkle_jupyter.config.limits import Limits, UserLimits
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, QuotaExceededError
from twinkle_jupyter.service.adapter_row import AdapterRow
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.quotas import HELD_S, Quotas
from twinkle_jupyter.service.sliding_window import MINUTE, SECOND, Window
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.opening import open_store
from twinkle_jupyter.store.sqlite import SqliteStore

ANNA, BEN = Asker("anna"), Asker("ben")


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Replicas:
    """Two services over one file or server, each with a store of its own, on one clock."""

    stores: list[StateStore]
    clock: Clock

    def of(self, **limits: int) -> list[Quotas]:
        return [Quotas(store, Limits(**limits), self.clock) for store in self.stores]


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        address: Path | str = tmp_path / "store.sqlite3"
        if request.param == "redis":
            server = RedisServer(tmp_path / "redis", is_durable=False)
            stack.callback(server.kill)
            server.start()
            address = server.url
        stores = [open_store(address, 5.0, is_durable=False) for _ in range(2)]
        for store in stores:
            stack.push_async_callback(store.close)
        yield Replicas(stores, Clock())


async def refused(work: object) -> bool:
    try:
        await work  # type: ignore[misc]
    except QuotaExceededError:
        return True
    return False


async def test_without_limits_nothing_is_written(replicas: Replicas) -> None:
    quotas, _ = replicas.of()
    await quotas.admit_request(ANNA)
    await (await quotas.admit_prompts("anna", [[1] * 10**6])).finish(10**6)
    async with quotas.room_for_adapters("anna", ["a", "b"]):
        pass
    assert await replicas.stores[0].list_rows("") == []
    assert {(one.limit, one.used) for one in await quotas.usage("anna")} == {(0, 0), (0, None)}


def test_a_user_has_what_is_said_of_them_else_of_their_groups_else_of_everybody() -> None:
    limits = Limits.model_validate({
        "adapters": 4, "tokens_per_minute": 100,
        "groups": {
            "class": {"adapters": 2, "tokens_per_minute": 50},
            "staff": {"adapters": 20, "requests_per_second": 9},
            "lab": {"adapters": 0},
        },
        "users": {"hub:anna": {"tokens_per_minute": 7}},
    })  # fmt: skip

    def found(owner: str, *groups: str) -> tuple[int, int, int]:
        one = limits.of(owner, groups)
        return one.adapters, one.tokens_per_minute, one.requests_per_second

    assert found("hub:ben") == found("hub:ben", "unheard-of") == (4, 100, 0)
    assert found("hub:ben", "class") == (2, 50, 0), "a group may have less than everybody"
    assert found("hub:ben", "class", "staff") == (20, 100, 0), "the largest of each; 0 is no limit"
    assert found("hub:ben", "staff", "lab", "class") == (0, 100, 0)
    assert found("hub:anna", "staff") == (20, 7, 9)
    assert found("anna") == (4, 100, 0), "who has the same name elsewhere is another user"


async def test_what_a_request_counts_against_is_its_askers_and_holds_for_what_goes_on(
    replicas: Replicas,
) -> None:
    groups = {"class": UserLimits(tokens_per_minute=10)}
    quotas = Quotas(replicas.stores[0], Limits(groups=groups), replicas.clock)
    await quotas.admit_request(replace(ANNA, groups=frozenset({"class"})))
    await quotas.admit_tokens("anna", 10)
    assert await refused(quotas.admit_tokens("anna", 1))
    assert {one.name: one.limit for one in await quotas.usage("anna")}["tokens_per_minute"] == 10
    await quotas.admit_request(ANNA)
    assert not await refused(quotas.admit_tokens("anna", 1)), "out of the group"


async def test_what_was_queued_leaves_the_queue_when_the_limit_is_gone_meanwhile(
    replicas: Replicas,
) -> None:
    (quotas, *_) = replicas.of(queued_tokens=10)
    admission = await quotas.admit_tokens("anna", 10)
    limits = quotas.book
    (other, *_) = replicas.of()
    quotas.book = other.book
    await admission.finish()
    quotas.book = limits
    assert not await refused(quotas.admit_tokens("anna", 10))


async def test_requests_at_once_on_two_replicas_are_let_in_up_to_the_limit_exactly(
    replicas: Replicas,
) -> None:
    both = replicas.of(requests_per_second=25)
    asked = [refused(both[number % 2].admit_request(ANNA)) for number in range(80)]
    assert sum(await asyncio.gather(*asked)) == 80 - 25
    assert not await refused(both[0].admit_request(BEN)), "a greedy user slows only itself"
    with pytest.raises(QuotaExceededError, match="requests_per_second=25 is used up: 25") as error:
        await both[1].admit_request(ANNA)
    assert (error.value.retry_after_s or 0) == pytest.approx(1.0, abs=0.11)
    replicas.clock.now += error.value.retry_after_s or 0
    assert not await refused(both[0].admit_request(ANNA))


async def test_tokens_of_a_minute_free_up_as_it_passes(replicas: Replicas) -> None:
    one, other = replicas.of(tokens_per_minute=100)
    await one.admit_tokens("anna", 60)
    replicas.clock.now += 30
    await other.admit_tokens("anna", 40)
    with pytest.raises(QuotaExceededError) as error:
        await one.admit_tokens("anna", 1)
    assert "tokens_per_minute=100 is used up: 100 in the last minute, and this has 1" in str(
        error.value
    )
    assert 29 <= (error.value.retry_after_s or 0) <= 31
    [use] = [one for one in await other.usage("anna") if one.name == "tokens_per_minute"]
    assert (use.limit, use.used) == (100, 100)
    assert use.frees_in_s == pytest.approx(error.value.retry_after_s, abs=0.01)
    replicas.clock.now += error.value.retry_after_s or 0
    await other.admit_tokens("anna", 60)
    assert await refused(one.admit_tokens("anna", 1))


async def test_what_an_answer_writes_counts_and_delays_what_comes_next(replicas: Replicas) -> None:
    one, other = replicas.of(tokens_per_minute=100)
    admission = await one.admit_prompts("anna", [[1] * 10])
    await admission.finish(written=500)
    assert await refused(other.admit_tokens("anna", 1))
    replicas.clock.now += 62
    await other.admit_tokens("anna", 100)


async def test_queued_tokens_are_given_back_once_and_those_of_the_dead_in_the_end(
    replicas: Replicas,
) -> None:
    one, other = replicas.of(queued_tokens=100)
    first = await one.admit_tokens("anna", 70, "op/1")
    await other.admit_tokens("anna", 70, "op/1")  # the same again, sent to another replica
    await other.admit_tokens("anna", 30, "op/2")
    with pytest.raises(QuotaExceededError, match="100 wait in 2 requests, and this has 1"):
        await one.admit_tokens("anna", 1, "op/3")
    assert "queued_tokens=100" in one.pause_of("anna")
    assert one.pause_of("ben") == ""
    await first.finish()
    await first.finish()
    assert await refused(other.admit_tokens("anna", 71, "op/3"))
    await other.admit_tokens("anna", 70, "op/3")
    replicas.clock.now += HELD_S + 1
    await other.admit_tokens("anna", 100, "op/4")
    assert one.pause_of("anna") == ""


async def test_what_can_never_be_let_in_is_no_matter_of_waiting(replicas: Replicas) -> None:
    quotas, _ = replicas.of(tokens_per_minute=10, longest_input=8)
    with pytest.raises(InvalidDataError, match="11 tokens, and tokens_per_minute=10 is all"):
        await quotas.admit_tokens("anna", 11)
    with pytest.raises(InvalidDataError, match="Prompt 2 has 9 tokens, and longest_input=8"):
        await quotas.admit_prompts("anna", [[1], [1] * 9])
    quotas.check_max_length("anna", 8)
    with pytest.raises(InvalidConfigError, match="`max_length=9` is more than longest_input=8"):
        quotas.check_max_length("anna", 9)
    await quotas.admit_tokens("anna", 10)


async def test_places_for_adapters_are_exact_whoever_asks_at_once(replicas: Replicas) -> None:
    both = replicas.of(adapters=5)

    async def make(number: int) -> bool:
        store, name = replicas.stores[number % 2], f"a{number}"
        try:
            async with both[number % 2].room_for_adapters("anna", [name]):
                row = {"owner": "anna", "name": name, "run_id": "r", "claimed_at": ""}
                await store.put(AdapterRow.key("anna", name), row)
        except QuotaExceededError:
            return False
        return True

    made = await asyncio.gather(*(make(number) for number in range(16)))
    assert sum(made) == 5
    one = made.index(True)
    assert await make(one), "the same again is none more"
    with pytest.raises(QuotaExceededError, match="there are 5, and this makes 1 more") as error:
        async with both[0].room_for_adapters("anna", ["a99"]):
            pass
    assert error.value.retry_after_s == math.inf
    await replicas.stores[0].delete(AdapterRow.key("anna", f"a{one}"))
    assert await make(99), "what is deleted makes room at once"


def _ask(path: Path, num_asked: int, num_let_in: multiprocessing.Queue[int]) -> None:
    async def ask() -> int:
        store = SqliteStore.open(path, is_durable=False)
        quotas = Quotas(store, Limits(tokens_per_minute=1000), Clock())
        asked = [refused(quotas.admit_tokens("anna", 10)) for _ in range(num_asked)]
        let_in = num_asked - sum(await asyncio.gather(*asked))
        await store.close()
        return let_in

    num_let_in.put(asyncio.run(ask()))


def test_processes_count_together(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[int] = context.Queue()
    path = tmp_path / "store.sqlite3"
    asking = [context.Process(target=_ask, args=(path, 80, answers)) for _ in range(2)]
    for process in asking:
        process.start()
    let_in = [answers.get(timeout=60) for _ in asking]
    for process in asking:
        process.join(30)
    assert sum(let_in) == 100, let_in


@given(
    st.sampled_from([SECOND, MINUTE]),
    st.lists(st.tuples(st.floats(0, 20), st.integers(1, 40)), max_size=60),
)
def test_no_stretch_of_time_has_more_than_the_limit(
    window: Window, asked: list[tuple[float, int]]
) -> None:
    limit, now, slots = 40, 1_000_000.0, dict[str, int]()
    let_in: list[tuple[float, int]] = []
    for pause, amount in asked:
        now += pause
        wait_s = window.frees_in(slots, now, amount, limit)
        if wait_s:
            assert window.frees_in(slots, now + wait_s + 1e-6, amount, limit) == 0
            continue
        slots = window.add(slots, now, amount)
        let_in.append((now, amount))
    span = window.slot_s * window.num_slots
    for start, _ in let_in:
        assert sum(amount for at, amount in let_in if start <= at < start + span) <= limit
