"""What `StateStore` promises, whichever backend is behind it."""

from __future__ import annotations

import asyncio
import time

import pytest

from twinkle_jupyter.errors import ConflictError, ServiceUnavailableError
from twinkle_jupyter.store.interface import LogEntry, Row, StateStore


async def test_a_row_is_there_until_it_is_deleted(store: StateStore) -> None:
    row: Row = {"text": "Ä\u2028\U0001f600\ud800", "list": [1, 2.5, None, True], "map": {"": {}}}
    assert await store.get("a") is None
    await store.put("a", row)
    assert await store.get("a") == row
    assert await store.delete("a") is True
    assert (await store.get("a"), await store.delete("a")) == (None, False)


async def test_only_the_first_of_put_if_absent_is_written(store: StateStore) -> None:
    answers = await asyncio.gather(*(store.put_if_absent("a", {"by": i}) for i in range(8)))
    assert answers.count(True) == 1
    assert await store.get("a") == {"by": answers.index(True)}


async def test_many_rows_come_in_the_order_of_their_keys(store: StateStore) -> None:
    await store.put("a", {"x": 1})
    await store.put("b", {"x": 2}, ttl_s=60)
    rows = await store.get_many(["b", "", "a", "b"])
    assert rows == [{"x": 2}, None, {"x": 1}, {"x": 2}]
    assert await store.get_many([]) == []


async def test_a_row_with_a_time_to_live_is_gone_afterwards(store: StateStore) -> None:
    for key in ("gone", "changed", "taken", "kept", "longer"):
        await store.put(key, {"x": 1}, ttl_s=1.0)
    await store.put("kept", {"x": 2})  # for good
    assert await store.put_if_absent("gone", {}) is False
    assert await store.update("changed", lambda row: {"was": row}) == {"was": {"x": 1}}
    assert await store.replace("longer", {"x": 1}, {"x": 1}, ttl_s=60) is True
    await asyncio.sleep(1.1)
    there = [("kept", {"x": 2}), ("longer", {"x": 1})]
    assert await store.list_rows("") == there
    assert await store.get_many(["gone", "changed", "kept"]) == [None, None, {"x": 2}]
    assert await store.replace("gone", {"x": 1}, {}) is False
    assert await store.delete("gone") is False
    assert await store.update("changed", lambda row: {"was": row}) == {"was": None}
    assert await store.put_if_absent("taken", {"x": 3}, ttl_s=60) is True
    assert await store.list_rows("") == [("changed", {"was": None}), *there, ("taken", {"x": 3})]


async def test_a_place_with_a_time_to_live_has_one_owner(store: StateStore) -> None:
    assert await store.put_if_absent("a", {"by": -1}, ttl_s=60) is True
    assert await store.put_if_absent("a", {"by": -2}, ttl_s=60) is False
    assert await store.replace("a", {"by": -2}, {"by": -2}, ttl_s=0) is False
    assert await store.replace("a", {"by": -1}, {"by": -1}, ttl_s=0) is True  # lets go
    answers = await asyncio.gather(
        *(store.put_if_absent("a", {"by": i}, ttl_s=60) for i in range(8))
    )
    assert answers.count(True) == 1
    assert await store.get("a") == {"by": answers.index(True)}


async def test_a_row_is_replaced_only_as_it_is_known(store: StateStore) -> None:
    await store.put("a", {"by": 1, "é": [1.5, None]})
    known = await store.get("a")
    assert known is not None
    assert await store.replace("a", {"by": 2}, {"by": 3}) is False
    assert await store.replace("b", {}, {}) is False
    answers = await asyncio.gather(*(store.replace("a", known, {"by": i}) for i in range(8)))
    assert answers.count(True) == 1
    assert await store.get("a") == {"by": answers.index(True)}


async def test_a_store_that_answers_says_so(store: StateStore) -> None:
    await store.check(timeout_s=5)
    await store.close()
    with pytest.raises(ServiceUnavailableError, match="is closed"):
        await store.check(timeout_s=5)


async def test_updates_at_once_lose_nothing(store: StateStore) -> None:
    def add_one(row: Row | None) -> Row:
        return {"count": int(str((row or {"count": 0})["count"])) + 1}

    await asyncio.gather(*(store.update("counter", add_one) for _ in range(50)))
    assert await store.get("counter") == {"count": 50}


async def test_what_a_change_raises_passes_through_and_nothing_is_written(
    store: StateStore,
) -> None:
    def refuse(row: Row | None) -> Row:
        raise ConflictError("The run is over.")

    await store.put("a", {"x": 1})
    with pytest.raises(ConflictError, match=r"The run is over\."):
        await store.update("a", refuse)
    assert await store.get("a") == {"x": 1}
    await store.put("b", {})  # the transaction is over, too


async def test_rows_are_listed_by_prefix_in_key_order(store: StateStore) -> None:
    for key in ("run/b", "run/a", "runs", "run/\U0010ffff", "ru", "run/%", "Run/a"):
        await store.put(key, {"key": key})
    found = await store.list_rows("run/")
    assert found == [(key, {"key": key}) for key in ("run/%", "run/a", "run/b", "run/\U0010ffff")]


async def test_positions_count_up_from_one_in_each_log(store: StateStore) -> None:
    assert await store.last_position("a") == 0
    positions = [await store.append(log, {"log": log}) for log in ("a", "b", "a", "a")]
    assert positions == [1, 1, 2, 3]
    assert await store.last_position("a") == 3
    assert await store.read("a", after=1) == [LogEntry(2, {"log": "a"}), LogEntry(3, {"log": "a"})]
    assert await store.read("a", limit=1) == [LogEntry(1, {"log": "a"})]
    assert await store.read("a", after=3) == []


async def test_a_number_that_json_does_not_have_is_refused(store: StateStore) -> None:
    with pytest.raises(ValueError, match="JSON"):
        await store.append("a", {"loss": float("nan")})
    assert await store.last_position("a") == 0


async def test_a_wait_ends_when_its_time_is_over(store: StateStore) -> None:
    assert await store.wait("a", 0, timeout_s=0.05) is False
    await store.append("a", {})
    assert await store.wait("a", 0, timeout_s=0) is True
    assert await store.wait("a", 1, timeout_s=0) is False


async def test_an_append_in_this_process_wakes_at_once(store: StateStore) -> None:
    waits = [asyncio.create_task(store.wait("a", 0, timeout_s=10)) for _ in range(20)]
    other = asyncio.create_task(store.wait("b", 0, timeout_s=0.3))
    await asyncio.sleep(0)
    await store.append("a", {})
    # Far from the ten seconds, for a server whose disk is busy.
    assert await asyncio.wait_for(asyncio.gather(*waits), 5) == [True] * 20
    assert await other is False


async def test_a_cancelled_wait_leaves_the_others_waiting(store: StateStore) -> None:
    lost, kept = (asyncio.create_task(store.wait("a", 0, timeout_s=10)) for _ in range(2))
    await store.last_position("a")
    lost.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lost
    await store.append("a", {})
    assert await asyncio.wait_for(kept, 5) is True


async def test_a_wait_that_is_cancelled_as_its_news_come_ends(store: StateStore) -> None:
    for position in range(20):
        ready = asyncio.Event()

        async def follow(position: int = position, ready: asyncio.Event = ready) -> None:
            ready.set()
            while True:
                if await store.wait("a", position, timeout_s=10):
                    await store.read("a", position)

        following = asyncio.create_task(follow())
        await ready.wait()
        await store.append("a", {})
        following.cancel()
        await asyncio.wait({following}, timeout=5)
        assert following.cancelled()


async def test_closing_ends_waits_at_once_and_refuses_what_comes_later(store: StateStore) -> None:
    wait = asyncio.create_task(store.wait("a", 0, timeout_s=10))
    await store.last_position("a")
    started = time.monotonic()
    await store.close()
    assert await wait is False
    assert time.monotonic() - started < 5
    with pytest.raises(ServiceUnavailableError, match="is closed"):
        await store.get("a")
    await store.close()
