"""Answers that nobody reads any more are not written on: over a real socket, on the tiny model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client.live_service import LiveService
from tests.journeys.conftest import wait_until
from twinkle_jupyter.runtime.sample_loop import SampleLoop
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.store.records import BaseModelRow

#: As long as the tiny model can.
_LONG = 250


@pytest.fixture
def live(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LiveService]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    with LiveService(tmp_path / "home", tiny_model) as service:
        row = BaseModelRow("tiny", "ready", folder=str(tiny_model))
        service.call(service.store.put(BaseModelRow.key("tiny"), row.to_row()))
        yield service


@pytest.fixture
def client(live: LiveService) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": live.call(create_key(live.store, "anna"))}
    with httpx.Client(base_url=live.connection.url, headers=headers, timeout=60) as one:
        yield one


def _num_open(live: LiveService) -> int:
    assert live.compute is not None
    assert isinstance(live.compute.sampler, SampleLoop)
    return len(live.compute.sampler._streams)


_BODIES: dict[str, dict[str, object]] = {
    "/v1/chat/completions": {
        "model": "tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": _LONG,
        "n": 128,
    },
    "/v1/completions": {"model": "tiny", "prompt": [5, 6], "max_tokens": _LONG, "n": 128},
    "/api/v1/sampler/tiny/twinkle/sample": {
        "inputs": [{"input_ids": [5, 6]}] * 128,
        "sampling_params": {"max_tokens": _LONG, "stop": []},
    },
}


@pytest.mark.parametrize("route", _BODIES)
def test_an_answer_ends_with_its_client(
    live: LiveService, client: httpx.Client, route: str
) -> None:
    assert live.compute is not None
    # No answer ends early by itself.
    bias = {str(token): -100 for token in live.compute.template.stop_token_ids}
    body = _BODIES[route] | ({} if "inputs" in _BODIES[route] else {"logit_bias": bias})
    with pytest.raises(httpx.ReadTimeout):
        client.post(route, json=body, timeout=httpx.Timeout(30, read=0.3))
    wait_until(lambda: _num_open(live) == 0, 3, "ending what nobody reads")
    # Others are answered as before.
    assert client.post(route, json=_short(_BODIES[route])).status_code == 200


def _short(body: dict[str, object]) -> dict[str, object]:
    return body | (
        {"sampling_params": {"max_tokens": 2}} if "inputs" in body else {"max_tokens": 2}
    )


def test_what_fails_ends_the_other_answers_of_its_request(
    live: LiveService, client: httpx.Client
) -> None:
    prompts = [[5, 6]] * 20 + [[5] * 100_000]
    body = {"model": "tiny", "prompt": prompts, "max_tokens": _LONG, "n": 4}
    answer = client.post("/v1/completions", json=body)
    assert answer.status_code == 400, answer.text
    assert "the base model reads" in answer.text
    wait_until(lambda: _num_open(live) == 0, 3, "ending what nobody reads")


def test_more_answers_than_a_sampler_takes_at_once_are_answered(client: httpx.Client) -> None:
    body = {"model": "tiny", "prompt": [[5, 6]] * 200, "max_tokens": 1, "n": 3}
    answer = client.post("/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["choices"]) == 600


@pytest.mark.parametrize(
    ("route", "change", "words"),
    [
        ("/v1/completions", {"prompt": [[5]] * 200, "n": 100}, "200 prompts with 100 answers each"),
        ("/v1/chat/completions", {"stop": ["x"] * 65}, "stop"),
        ("/v1/completions", {"stop": "x" * 1001}, "stop"),
        (
            "/api/v1/sampler/tiny/twinkle/sample",
            {"inputs": [{"input_ids": [5]}] * 100, "num_samples": 200},
            "100 prompts with 200 answers each",
        ),
    ],
)
def test_what_would_hold_up_everybody_is_refused(
    client: httpx.Client, route: str, change: dict[str, object], words: str
) -> None:
    answer = client.post(route, json=_BODIES[route] | change)
    assert answer.status_code in (400, 422), answer.text
    assert words in answer.text
