"""Samples that two service processes know of: written by one, told by both, once and for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.live_service import LiveService
from tests.redis_server import RedisServer
from tests.service.tinker.conftest import TinkerUser
from twinkle_jupyter.config.limits import Limits
from twinkle_jupyter.errors import ConflictError, ServiceUnavailableError
from twinkle_jupyter.runtime.handles import SampleRequest, SamplerHandle, SamplingSettings
from twinkle_jupyter.service.quotas import Quotas
from twinkle_jupyter.service.tinker import samples
from twinkle_jupyter.service.tinker.future_names import FutureName
from twinkle_jupyter.service.tinker.reply import Reply
from twinkle_jupyter.service.tinker.sample_outcomes import failed
from twinkle_jupyter.service.tinker.sample_requests import SampleOrder
from twinkle_jupyter.service.tinker.samples import GoneError, Samples
from twinkle_jupyter.service.writing_places import WritingPlaces
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.memory import MemoryStore
from twinkle_jupyter.store.redis import RedisStore
from twinkle_jupyter.store.sample_rows import SampleRow
from twinkle_jupyter.wire.tinker_samples import PromptPart

PROMPT = (5, 6, 7)


def _order(max_tokens: int = 8, prompt: tuple[int, ...] = PROMPT) -> SampleOrder:
    request = SampleRequest(prompt, SamplingSettings(max_tokens=max_tokens), frozenset())
    return SampleOrder(request, 1, (), PromptPart(len(prompt), False, 0, None))


def _name(session: str) -> str:
    return str(FutureName("sample", 1, session))


@pytest.fixture
def other(live: LiveService) -> Samples:
    """Those of another process with the same store."""

    async def make() -> Samples:
        return Samples(live.store, Quotas(live.store, Limits()), WritingPlaces())

    return live.call(make())


@pytest.fixture
def sampler(live: LiveService) -> SamplerHandle:
    assert live.compute is not None
    return live.compute.sampler


def _asample(anna: TinkerUser, number: int, max_tokens: int = 8, **more: object) -> httpx.Response:
    session = anna.post(
        "create_sampling_session",
        session_id=anna.session,
        sampling_session_seq_id=0,
        base_model="tiny",
    ).json()["sampling_session_id"]
    prompt = {"chunks": [{"type": "encoded_text", "tokens": PROMPT}]}
    body = {"prompt": prompt, "num_samples": 2, **more}
    params = {"max_tokens": max_tokens, "stop": []}
    return anna.post(
        "asample", sampling_session_id=session, seq_id=number, sampling_params=params, **body
    )


def test_what_one_process_writes_the_other_one_tells_as_often_as_it_is_asked(
    live: LiveService, anna: TinkerUser, other: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_LOOK_AGAIN_S", 60.0)  # it is told, and need not look
    name = _asample(anna, 1, max_tokens=200).raise_for_status().json()["request_id"]
    # Before it is there: whoever is asked holds until it is.
    asked_at = time.monotonic()
    there = live.call(other.retrieve("anna", name, 20, as_protobuf=False))
    assert time.monotonic() - asked_at < 15
    here = anna.result(name)
    assert there is not None
    assert anna.result(name) == here
    assert there == Reply.of(here)  # type: ignore[arg-type]
    protobuf = [
        anna.http.post(
            "/api/v1/retrieve_future",
            json={"request_id": name},
            headers={"Accept": "application/x-protobuf"},
        ).content,
        cast("Reply", live.call(other.retrieve("anna", name, 0, as_protobuf=True))).content,
    ]
    assert protobuf[0] == protobuf[1] != there.content
    with pytest.raises(GoneError):
        live.call(other.retrieve("ben", name, 0, as_protobuf=False))


def test_the_same_request_at_both_is_written_once(
    live: LiveService, other: Samples, sampler: SamplerHandle
) -> None:
    third = live.call(_new(live.store))

    async def submit_at_both() -> list[Reply | None]:
        await asyncio.gather(
            *(one.submit("anna", _name("twice"), _order(), sampler) for one in both)
        )
        assert sum(len(one._writing) for one in both) == 1
        return [await one.retrieve("anna", _name("twice"), 20, as_protobuf=False) for one in both]

    both = (other, third)
    first, second = live.call(submit_at_both())
    assert first == second is not None


async def _new(store: StateStore) -> Samples:
    return Samples(store, Quotas(store, Limits()), WritingPlaces())


def test_one_that_is_cancelled_at_the_other_process_stops_and_stays_cancelled(
    live: LiveService, anna: TinkerUser, other: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write_long(*_: object) -> None:
        await asyncio.sleep(120)

    monkeypatch.setattr(samples, "write_sample", write_long)
    name = _asample(anna, 1).json()["request_id"]
    own = cast("Samples", live.app.state.tinker.samples)
    assert live.call(other.retrieve("anna", name, 0.05, as_protobuf=False)) is None
    live.call(other.cancel("anna", name))
    started = time.monotonic()
    while own._writing:
        assert time.monotonic() - started < 5
        time.sleep(0.01)
    for _ in range(2):
        assert anna.result(name) == {"error": "The sample was cancelled.", "category": "user"}
    anna.post("cancel_future", request_id=name).raise_for_status()


def test_what_a_process_that_leaves_was_writing_is_gone_and_can_be_sent_again(
    live: LiveService, other: Samples, sampler: SamplerHandle
) -> None:
    stays = live.call(_new(live.store))
    live.call(other.submit("anna", _name("left"), _order(100_000), sampler))
    assert live.call(stays.retrieve("anna", _name("left"), 0.05, as_protobuf=False)) is None
    live.call(other.leave())
    with pytest.raises(GoneError, match="left/' is not known any more"):
        live.call(stays.retrieve("anna", _name("left"), 20, as_protobuf=False))
    live.call(stays.submit("anna", _name("left"), _order(), sampler))
    assert live.call(stays.retrieve("anna", _name("left"), 20, as_protobuf=False)) is not None


def test_a_prompt_that_cannot_be_read_is_told_to_whoever_sent_it(
    live: LiveService, other: Samples, sampler: SamplerHandle
) -> None:
    live.call(other.submit("anna", _name("bad"), _order(prompt=(10**6,)), sampler))
    reply = live.call(other.retrieve("anna", _name("bad"), 20, as_protobuf=True))
    assert reply is not None
    assert b"token id 1000000, which the base model does not have" in reply.content
    assert b'"category": "user"' in reply.content


@pytest.mark.parametrize("num_turns", [0, 1, 2, 5])
def test_one_that_is_cancelled_before_it_has_begun_leaves_nothing(
    live: LiveService, other: Samples, sampler: SamplerHandle, num_turns: int
) -> None:
    async def check() -> None:
        submitting = asyncio.create_task(other.submit("anna", _name("a"), _order(64), sampler))
        for _ in range(1 + num_turns):
            await asyncio.sleep(0)
        assert ("anna", _name("a")) in other._writing
        await other.cancel("anna", _name("a"))
        await submitting
        reply = await other.retrieve("anna", _name("a"), 20, as_protobuf=False)
        assert reply is not None
        assert b"cancelled" in reply.content
        assert other._writing == {}

    live.call(check())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.mark.redis
def test_an_answer_waits_for_a_store_that_is_away(
    live: LiveService, sampler: SamplerHandle, server: RedisServer
) -> None:
    async def check() -> None:
        stores = [RedisStore.open(server.url, patience_s=0.2) for _ in range(2)]
        writes, asks = (
            Samples(store, Quotas(store, Limits()), WritingPlaces()) for store in stores
        )
        await writes.submit("anna", _name("a"), _order(64), sampler)
        server.kill()
        with pytest.raises(ServiceUnavailableError, match="does not answer"):
            await asks.retrieve("anna", _name("a"), 5, as_protobuf=False)
        await asyncio.sleep(1)
        await asyncio.to_thread(server.start)
        assert await asks.retrieve("anna", _name("a"), 20, as_protobuf=False) is not None
        for store in stores:
            await store.close()

    live.call(check())


_ENDS = ("done", "failed", "cancelled")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(_ENDS), st.booleans()), min_size=1, max_size=6))
def test_what_came_of_a_sample_never_changes(ends: list[tuple[str, bool]]) -> None:
    asyncio.run(_check_final(ends))


async def _check_final(ends: list[tuple[str, bool]]) -> None:
    """Whoever wants what, in whatever order: the first word is the last."""
    store = MemoryStore()
    processes = [
        Samples(store, Quotas(store, Limits()), WritingPlaces()),
        Samples(store, Quotas(store, Limits()), WritingPlaces()),
    ]
    claim = SampleRow("anna", _name("a"), processes[0]._presence.process_id)
    await store.put(SampleRow.key("anna", _name("a")), claim.to_row(), ttl_s=3600)
    finals = {
        "done": claim.changed(state="done", as_json="{}"),
        "failed": failed(claim, ConflictError("It was too late.")),
        "cancelled": claim.changed(state="cancelled"),
    }
    first = finals[ends[0][0]].to_row()
    for end, is_other in ends:
        await processes[is_other]._change(claim, finals[end])
        replies = [
            await one.retrieve("anna", _name("a"), 0, as_protobuf=False) for one in processes
        ]
        assert replies[0] == replies[1] is not None
        assert await store.get(SampleRow.key("anna", _name("a"))) == first
