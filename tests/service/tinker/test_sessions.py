"""A session under heartbeats, ends and clean-up in any order, from replicas that know no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from twinkle_jupyter.service.clients.sessions import Sessions
from twinkle_jupyter.store.client_rows import SessionRow
from twinkle_jupyter.store.memory import MemoryStore
from twinkle_jupyter.wire.tinker_bodies import CreateSessionBody

_steps = st.lists(
    st.sampled_from(["heard", "finish success", "finish errored", "look", "put away"]), max_size=12
)


@settings(max_examples=150, deadline=None)
@given(_steps)
def test_a_heartbeat_never_ends_a_session_and_an_end_is_never_taken_back(steps: list[str]) -> None:
    asyncio.run(_check(steps))


async def _check(steps: list[str]) -> None:
    sessions = Sessions(MemoryStore())
    begun = await sessions.open("anna", CreateSessionBody())
    looked_at: list[SessionRow] = [begun]
    finished = ""

    async def look() -> None:
        looked_at[:] = await sessions.list_over(0.0) or looked_at

    does: dict[str, Callable[[], Awaitable[None]]] = {
        "heard": lambda: sessions.heard("anna", begun.session_id),
        "finish success": lambda: sessions.finish("anna", begun.session_id, "success"),
        "finish errored": lambda: sessions.finish("anna", begun.session_id, "errored"),
        "look": look,
        # Another replica's, which looked some time ago.
        "put away": lambda: sessions.put_away(looked_at[0]),
    }
    before = begun
    for step in steps:
        await does[step]()
        row = await sessions.get("anna", begun.session_id)
        if step.startswith("finish"):
            finished = finished or step.removeprefix("finish ")
        assert row.finished == finished
        assert row.heard_at >= before.heard_at
        if step == "heard":
            assert not row.is_put_away
        before = row


async def test_a_session_that_was_heard_of_meanwhile_is_looked_at_again() -> None:
    store = MemoryStore()
    sessions = Sessions(store)
    begun = await sessions.open("anna", CreateSessionBody())
    await store.put(
        SessionRow.key("anna", begun.session_id),
        begun.changed(heard_at="2026-01-01T00:00:00.000+00:00").to_row(),
    )
    (looked_at,) = await sessions.list_over(60)
    await sessions.heard("anna", begun.session_id)
    await sessions.put_away(looked_at)
    assert not (await sessions.get("anna", begun.session_id)).is_put_away
    assert await sessions.list_over(60) == []
    assert [row.session_id for row in await sessions.list_over(-60)] == [begun.session_id]
