"""Quotas as each protocol's clients meet them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client.live_service import RECORDS, LiveService
from tests.service.one_of_everything import a_pass
from tests.service.tinker.conftest import ROW, TinkerUser
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.notebook.service_verbs import limit_rows
from twinkle_jupyter.store.records import BaseModelRow

LIMITS = {"adapters": 2, "queued_tokens": 40, "tokens_per_minute": 100, "longest_input": 30}
MESSAGES = [{"role": "user", "content": "Hi"}]


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[LiveService]:
    home = tmp_path_factory.mktemp("quotas")
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


@pytest.fixture
def anna(live: LiveService, clock: Clock) -> Iterator[TinkerUser]:
    headers = {"X-API-Key": live.connection.api_key}
    with httpx.Client(base_url=live.connection.url, headers=headers, timeout=60) as http:
        user = TinkerUser(http)
        user.begin()
        yield user
        for model in user.models:
            user.result(user.post("unload_model", model_id=model).json()["request_id"])


def _used(anna: TinkerUser) -> dict[str, int | None]:
    limits = anna.http.get("/api/v1/usage").raise_for_status().json()["limits"]
    assert {one["name"]: one["limit"] for one in limits} == {**LIMITS, "requests_per_second": 0}
    return {one["name"]: one["used"] for one in limits}


def test_a_pass_too_many_is_told_as_a_stock_client_retries_it(
    anna: TinkerUser, clock: Clock, live: LiveService
) -> None:
    model = anna.create_model()
    rows = [ROW] * 6  # 30 tokens
    for number in (1, 2, 3):
        anna.result(anna.forward_backward(model, number, *rows).json()["request_id"])
    while _used(anna)["queued_tokens"]:
        time.sleep(0.02)
    assert _used(anna) == {
        "adapters": 1, "queued_tokens": 0, "tokens_per_minute": 90, "longest_input": None,
        "requests_per_second": None,
    }  # fmt: skip
    with Client(live.connection) as client:
        shown = dict(limit_rows(client))
    assert shown["tokens per minute"] == "90 of 100"
    assert shown["longest input"] == "30 at most"
    assert "requests per second" not in shown
    refused = anna.forward_backward(model, 4, *rows)
    assert refused.status_code == 429
    assert (
        "tokens_per_minute=100 is used up: 90 in the last minute, and this has 30"
        in (refused.json()["detail"])
    )
    assert 60 <= int(refused.headers["Retry-After"]) <= 61
    assert int(refused.headers["Retry-After-Ms"]) > 59_000
    # Whoever polls meanwhile hears why nothing comes.
    live.app.state.tinker.futures.hold_s = 0.05
    step = anna.optim_step(model, 5).json()["request_id"]
    held = anna.retrieve(step)
    live.app.state.tinker.futures.hold_s = 30.0
    assert (held.status_code, held.json()["queue_state"]) == (408, "paused_rate_limit")
    assert "tokens_per_minute=100" in held.json()["queue_state_reason"]
    # The same again, later: nothing of it was lost, nothing was done twice.
    clock.now += int(refused.headers["Retry-After"])
    anna.result(anna.forward_backward(model, 4, *rows).json()["request_id"])
    assert anna.result(step)["metrics"]


def test_what_waits_counts_until_it_is_answered_whoever_asks(anna: TinkerUser) -> None:
    model = anna.create_model()
    rows = [ROW] * 4  # 20 tokens
    for number in (2, 3):  # they wait for the first
        assert anna.forward_backward(model, number, *rows).status_code == 200
    assert anna.forward_backward(model, 2, *rows).status_code == 200, "sent again"
    assert _used(anna)["queued_tokens"] == 40
    refused = anna.forward_backward(model, 4, *rows)
    assert refused.status_code == 429
    assert "queued_tokens=40 is used up: 40 wait in 2 requests" in refused.json()["detail"]
    # What the others wait for is let in all the same: stock clients send the first chunk last.
    assert anna.forward_backward(model, 1, *rows).status_code == 200
    deadline = time.monotonic() + 20
    while _used(anna)["queued_tokens"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert anna.forward_backward(model, 4, *rows).status_code == 200


def test_a_row_that_is_too_long_spends_its_turn(anna: TinkerUser) -> None:
    model = anna.create_model()
    wrong: list[list[tuple[int, ...]]] = [[tuple(range(5, 37))], [ROW] * 9]
    for number, rows in enumerate(wrong, start=1):
        asked = anna.forward_backward(model, number, *rows)
        assert asked.status_code == 200
        failure = anna.result(asked.json()["request_id"])
        assert failure["category"] == "user"
        assert "longest_input=30" in str(failure["error"]) or "queued_tokens=40" in str(
            failure["error"]
        )
    assert anna.result(anna.forward_backward(model, 3).json()["request_id"])["metrics"]


def test_adapters_are_so_many_whoever_makes_them(anna: TinkerUser) -> None:
    first, _ = anna.create_model(), anna.create_model()
    more = {"session_id": anna.session, "model_seq_id": 9, "base_model": "tiny"}
    refused = anna.post("create_model", **more)
    assert refused.status_code == 429
    assert "adapters=2 is used up: there are 2" in refused.json()["detail"]
    # Waiting does not mend it, so that stock clients are told not to.
    assert refused.headers["X-Should-Retry"] == "false"
    config = {"adapter": "pirate", "base_model": "tiny", "steps": 4, "max_length": 30}
    run = {"config": config, "records": RECORDS}
    answer = anna.http.post("/api/v1/runs", json=run)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "quota_exceeded")
    sweep = {"name": "s", "grid": {"rank": [2, 4]}, "records": RECORDS}
    swept = anna.post("sweeps", **sweep, config={"base_model": "tiny", "max_length": 30})
    assert swept.status_code == 429
    # One that was put away makes room, and needs some again when it is used.
    anna.result(anna.post("unload_model", model_id=first).json()["request_id"])
    assert anna.http.post("/api/v1/runs", json=run).status_code == 201
    back = anna.forward_backward(first, 1)
    assert back.status_code == 429
    assert "adapters=2" in back.json()["detail"]
    anna.models.remove(first)
    long = {**config, "adapter": "other", "max_length": 31}
    answer = anna.http.post("/api/v1/runs", json={"config": long, "records": RECORDS})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_config")
    assert "longest_input=30" in answer.json()["error"]["message"]


def test_answers_count_what_they_read_and_write_in_every_protocol(
    anna: TinkerUser, clock: Clock
) -> None:
    http = anna.http
    chat = {"model": "tiny", "messages": MESSAGES, "max_tokens": 4, "seed": 1}
    ask = {"model": "base", "messages": MESSAGES, "max_tokens": 4}
    whole = http.post("/v1/chat/completions", json=chat).raise_for_status().json()["usage"]
    used = _used(anna)
    assert whole["total_tokens"] <= (used["tokens_per_minute"] or 0) <= whole["total_tokens"] + 1
    assert used["queued_tokens"] == 0
    each = used["tokens_per_minute"] or 0
    http.post("/v1/chat/completions", json={**chat, "stream": True}).raise_for_status()
    assert _used(anna)["tokens_per_minute"] == 2 * each
    answer = http.post("/api/v1/samples", json=ask).raise_for_status()
    assert "event: done" in answer.text
    assert (_used(anna)["tokens_per_minute"] or 0) > 2 * each
    refused = []
    for _ in range(9):
        refused = [
            http.post("/v1/chat/completions", json=chat),
            http.post("/api/v1/samples", json=ask),
        ]
        if {one.status_code for one in refused} == {429}:
            break
    openai, native = refused
    assert openai.json()["error"]["type"] == "rate_limit_error"
    assert openai.json()["error"]["code"] == "quota_exceeded"
    assert native.json()["error"]["code"] == "quota_exceeded"
    for one in refused:
        assert 1 <= int(one.headers["Retry-After"]) <= 61
    completion = {"model": "tiny", "prompt": [5] * 31, "max_tokens": 1}
    assert http.post("/v1/completions", json=completion).status_code == 400
    clock.now += 62
    assert http.post("/v1/chat/completions", json=chat).status_code == 200


def test_an_answer_that_nobody_waits_for_is_queued_no_longer(anna: TinkerUser) -> None:
    chat = {"model": "tiny", "messages": MESSAGES, "max_tokens": 200, "stream": True, "seed": 1}
    ask = {"model": "base", "messages": MESSAGES, "max_tokens": 200}
    for path, body in (("/v1/chat/completions", chat), ("/api/v1/samples", ask)):
        with anna.http.stream("POST", path, json=body) as answer:
            next(answer.iter_bytes())
        deadline = time.monotonic() + 20
        while _used(anna)["queued_tokens"]:
            assert time.monotonic() < deadline, path
            time.sleep(0.02)


def test_a_sample_counts_until_it_is_written(anna: TinkerUser) -> None:
    opened = anna.post(
        "create_sampling_session", session_id=anna.session, sampling_session_seq_id=0,
        base_model="tiny",
    )  # fmt: skip
    body = {
        "sampling_session_id": opened.json()["sampling_session_id"], "seq_id": 1,
        "prompt": {"chunks": [{"tokens": [5] * 20}]}, "num_samples": 2,
        "sampling_params": {"max_tokens": 3, "stop": []},
    }  # fmt: skip
    asked = anna.post("asample", **body)
    assert anna.post("asample", **body).status_code == 200, "sent again"
    assert len(anna.result(asked.json()["request_id"])["sequences"]) == 2  # type: ignore[arg-type]
    used = _used(anna)
    assert (used["queued_tokens"], used["tokens_per_minute"]) == (0, 20 + 2 * 3)
    longer = {**body, "seq_id": 2, "prompt": {"chunks": [{"tokens": [5] * 31}]}}
    answer = anna.post("asample", **longer)
    assert answer.status_code == 422
    assert "longest_input=30" in answer.json()["detail"]


def test_a_request_too_many_in_a_second_is_told_in_the_form_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LiveService(tmp_path, limits={"requests_per_second": 3}) as live:
        live.app.state.parts.quotas._clock = Clock()
        headers = {"X-API-Key": live.connection.api_key}
        with httpx.Client(base_url=live.connection.url, headers=headers) as http:
            asked = [http.get("/api/v1/service").status_code for _ in range(3)]
            refused = http.post("/v1/chat/completions", json=a_pass("m", 1))
            assert http.get("/healthz").status_code == 200
    assert asked == [200] * 3
    body = refused.json()
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] in ("1", "2")
    assert body["detail"].startswith("requests_per_second=3 is used up: 3 in the last second.")
    assert (body["error"]["code"], body["error"]["type"]) == ("quota_exceeded", "rate_limit_error")
