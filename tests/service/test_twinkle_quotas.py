"""Quotas as clients of the Twinkle protocol meet them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client.live_service import LiveService
from tests.service.twinkle.conftest import ROW, TwinkleUser
from twinkle_jupyter.store.records import BaseModelRow

LIMITS = {"adapters": 1, "queued_tokens": 25, "tokens_per_minute": 60, "longest_input": 12}
#: 10 tokens a request.
ROWS = [ROW, ROW]


class Clock:
    now = 2_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[LiveService]:
    home = tmp_path_factory.mktemp("twinkle-quotas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        with LiveService(home / "twinkle", tiny_model, limits=LIMITS) as service:
            row = BaseModelRow("tiny", "ready", folder=str(tiny_model))
            service.call(service.store.put(BaseModelRow.key("tiny"), row.to_row()))
            yield service


@pytest.fixture
def clock(live: LiveService) -> Clock:
    """A clock on which every test begins with a minute in which nothing was."""
    Clock.now += 10_000
    clock = Clock()
    live.app.state.parts.quotas._clock = clock
    return clock


@pytest.fixture(scope="module")
def anna(live: LiveService) -> Iterator[TwinkleUser]:
    """A client whose adapter `a` is all that she may have."""
    headers = {"X-API-Key": live.connection.api_key}
    with httpx.Client(base_url=live.connection.url, headers=headers, timeout=60) as http:
        user = TwinkleUser(http)
        user.begin()
        user.add()
        yield user


def _used(anna: TwinkleUser, name: str) -> int:
    limits = anna.http.get("/api/v1/usage").raise_for_status().json()["limits"]
    used: int = next(one["used"] for one in limits if one["name"] == name)
    return used


def _told(answer: httpx.Response, status: int = 429) -> str:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"detail"}
    detail: str = answer.json()["detail"]
    return detail


def test_one_adapter_more_is_refused_and_the_same_one_is_not(
    anna: TwinkleUser, clock: Clock
) -> None:
    refused = anna.model("add_adapter_to_model", "b", config={"r": 4})
    assert "adapters=1 is used up: there are 1, and this makes 1 more." in _told(refused)
    assert refused.headers["X-Should-Retry"] == "false"
    assert anna.add() == f"{anna.session}-a"
    assert anna.model("forward_only", "b", inputs=ROWS).status_code == 404, "nothing was made"


def test_passes_count_what_they_read_each_time(anna: TwinkleUser, clock: Clock) -> None:
    anna.result("forward_backward", inputs=ROWS)
    anna.result("forward", inputs=ROWS)
    anna.result("calculate_loss")
    anna.do("backward")
    anna.result("forward_only", inputs=ROWS, disable_lora=True)
    assert _used(anna, "tokens_per_minute") == 50
    anna.result("forward_only", inputs=ROWS)
    before = anna.result("get_train_configs")
    for route in ("forward_backward", "forward", "forward_only"):
        refused = anna.model(route, inputs=ROWS)
        assert "tokens_per_minute=60 is used up: 60 in the last minute, and this has 10." in _told(
            refused
        )
        assert 60 <= int(refused.headers["Retry-After"]) <= 61
    assert anna.result("get_train_configs") == before
    # Neither a step nor what is kept of a pass is counted; the loss of that reads it again.
    anna.do("clip_grad_and_step")
    assert "tokens_per_minute=60" in _told(anna.model("calculate_loss"))
    clock.now += 62
    assert anna.result("calculate_loss") > 0
    assert _used(anna, "queued_tokens") == 0


def test_rows_that_can_never_be_let_in_are_a_mistake(anna: TwinkleUser, clock: Clock) -> None:
    long = {"input_ids": [5] * 13, "labels": [5] * 13}
    for route in ("forward_backward", "forward", "forward_only"):
        told = _told(anna.model(route, inputs=[ROW, long]), 422)
        assert told.startswith("Row 2 of inputs has 13 tokens, and longest_input=12 is the limit")
        assert "queued_tokens=25 is all" in _told(anna.model(route, inputs=[ROW] * 6), 422)
    for route in ("sample", "sample_stream"):
        told = _told(anna.sampler(route, inputs=[long], sampling_params={"max_tokens": 1}), 422)
        assert "longest_input=12" in told
    assert _used(anna, "tokens_per_minute") == 0


def test_what_waits_for_its_turn_is_queued(live: LiveService, anna: TwinkleUser) -> None:
    """Of three at once two are let in, though the adapter takes one after the other."""

    async def ask_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=live.connection.url, headers=anna.http.headers, timeout=60
        ) as http:
            path, body = "/api/v1/model/tiny/twinkle/forward_only", {"inputs": ROWS}
            asked = [http.post(path, json={"adapter_name": "a", **body}) for _ in range(3)]
            return await asyncio.gather(*asked)

    # Its turn is somebody else's until all three were asked for.
    turns = live.app.state.twinkle.turns
    row = live.call(live.app.state.twinkle.adapters.adapters.get("anna", f"{anna.session}-a"))

    async def keep_turn() -> None:
        async with turns.of(row):
            await asyncio.sleep(1.5)

    live.app.state.parts.quotas._clock = Clock()
    Clock.now += 10_000
    keeping = asyncio.run_coroutine_threadsafe(keep_turn(), live.loop)
    answers = asyncio.run(ask_all())
    keeping.result(10)
    assert sorted(one.status_code for one in answers) == [200, 200, 429]
    refused = next(one for one in answers if one.status_code == 429)
    assert "queued_tokens=25 is used up: 20 wait in 2 requests, and this has 10." in _told(refused)
    assert _used(anna, "queued_tokens") == 0


def test_answers_count_what_they_read_and_write(anna: TwinkleUser, clock: Clock) -> None:
    row = {"input_ids": [5] * 6}
    asked = {"inputs": [row, row], "sampling_params": {"max_tokens": 3, "num_samples": 2}}
    samples = anna.sampler("sample", **asked).raise_for_status().json()["samples"]
    written = sum(len(one["tokens"]) for sample in samples for one in sample["sequences"])
    assert _used(anna, "tokens_per_minute") == 12 + written
    one = {"inputs": [row], "sampling_params": {"max_tokens": 3}}
    lines = anna.sampler("sample_stream", **one).raise_for_status().text.splitlines()
    assert _used(anna, "tokens_per_minute") == 12 + written + 6 + len(lines)
    assert _used(anna, "queued_tokens") == 0
    while (answer := anna.sampler("sample", **one)).is_success:
        pass
    for refused in (answer, anna.sampler("sample_stream", **one)):
        assert "tokens_per_minute=60 is used up" in _told(refused)
        assert 1 <= int(refused.headers["Retry-After"]) <= 61
    clock.now += 62
    long = {"inputs": [row], "sampling_params": {"max_tokens": 200}}
    url = "/api/v1/sampler/tiny/twinkle/sample_stream"
    with anna.http.stream("POST", url, json=long) as answer:
        next(answer.iter_bytes())
    deadline = time.monotonic() + 20
    while _used(anna, "queued_tokens"):
        assert time.monotonic() < deadline, "nobody waits for it, and it is queued"
        time.sleep(0.02)
