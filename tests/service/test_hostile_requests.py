"""Requests that nobody sends by mistake: each is refused in a sentence of its protocol."""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from tests.client.live_service import LiveService
from tests.service.one_of_everything import Belongings, a_pass, a_sample, make_belongings
from twinkle_jupyter.runtime.handles import SampleDelta, SampleRequest
from twinkle_jupyter.sampler.interface import AdapterSnapshot
from twinkle_jupyter.service.parts import ServedModel
from twinkle_jupyter.wire.tinker_codec import PROTOBUF

#: By protocol, a route that reads a body.
BODY_ROUTES = {
    "native": "/api/v1/runs",
    "tinker": "/api/v1/create_session",
    "tinker's training": "/api/v1/forward_backward",
    "openai": "/v1/chat/completions",
    "twinkle": "/api/v1/model/tiny/twinkle/forward_backward",
}


@dataclass(frozen=True)
class Victim:
    """A service with one of everything, and its user."""

    live: LiveService
    mine: Belongings
    http: httpx.Client

    def files_beside(self) -> set[Path]:
        """Return every file outside of the service's own folder."""
        home = self.live.config.home
        return {path for path in home.parent.rglob("*") if not path.is_relative_to(home)}


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Victim]:
    home = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        with LiveService(home / "twinkle", tiny_model) as live:
            headers = {"X-API-Key": live.connection.api_key}
            url = live.connection.url
            with httpx.Client(base_url=url, headers=headers, timeout=60) as http:
                mine = make_belongings(live, http, with_exports=False)
                live.app.state.tinker.futures.hold_s = 0.1
                yield Victim(live, mine, http)


def sentence_of(answer: httpx.Response) -> str:
    """Return what an error says; it has the form of its protocol."""
    assert answer.headers["content-type"] == "application/json", answer.text
    body = cast("dict[str, Any]", answer.json())
    told = str(body["detail"] if "detail" in body else body["error"]["message"])
    assert "Traceback" not in answer.text
    assert re.search(r"[.!?`]$", told), told
    return told


@pytest.mark.parametrize("route", BODY_ROUTES.values(), ids=BODY_ROUTES)
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a mapping"),
        (b'{"model": NaN}', "not JSON"),
        (b'{"user_metadata": {"a": -Infinity}}', "not JSON"),
        (b'{"user_metadata": {"a": [1e999]}}', "no float can hold"),
        (b'{"a": %s1.0}' % (b"9" * 400), "no float can hold"),
        (b'{"a": "\xff"}', "not JSON"),
        (b'{"a": "\\ud800"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"\x00", "not JSON"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_json_is_refused_in_a_sentence(
    victim: Victim, route: str, content: bytes, told: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = victim.http.post(route, content=content, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert told in sentence_of(answer)


@pytest.mark.parametrize("route", BODY_ROUTES.values(), ids=BODY_ROUTES)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x", PROTOBUF])
def test_another_content_type_is_refused_or_read_as_what_it_is(
    victim: Victim, route: str, kind: str
) -> None:
    answer = victim.http.post(route, content=b"\xff\x00{", headers={"Content-Type": kind})
    assert answer.status_code in (400, 422), answer.text
    told = sentence_of(answer)
    if route in (BODY_ROUTES["tinker"], BODY_ROUTES["openai"]):
        assert told.startswith(f"Content-Type '{kind}' is not read here. Send application/json.")


@pytest.mark.parametrize("route", BODY_ROUTES.values(), ids=BODY_ROUTES)
def test_a_body_that_is_too_large_is_refused_by_every_protocol(victim: Victim, route: str) -> None:
    size = victim.live.config.http.max_request_bytes + 1

    def chunks() -> Iterator[bytes]:
        yield b"{"
        for _ in range(size // 2**20):
            yield b" " * 2**20

    answer = victim.http.post(route, content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413, answer.text
    assert "is larger than the 64 MiB that this service takes" in sentence_of(answer)


_NAMES = [
    *("%2e%2e", "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd", "..%5C..", "%2Fetc%2Fpasswd", "%00", "a%00b"),
    *("%ff", "%F0%9F%92%A5", "a" * 5000, "-1", "%7B%7D", "*", "%27%20OR%201=1", "CON"),
]


@pytest.mark.parametrize("name", _NAMES, ids=lambda name: name[:20])
def test_no_name_in_a_path_reaches_anything(victim: Victim, name: str) -> None:
    before = victim.files_beside()
    paths = victim.live.app.openapi()["paths"]
    mine = victim.mine
    for template, methods in paths.items():
        places = re.findall(r"\{(\w+)\}", template)
        for place in places:
            # The others are right, so that this one is what is looked at.
            own = {"run": mine.imported_run or mine.run, "model_id": mine.model, "kind": "weights"}
            path = template.replace(f"{{{place}}}", name)
            for other in places:
                path = path.replace(f"{{{other}}}", own.get(other, "kept"))
            for method in methods:
                answer = victim.http.request(method, path, json={} if method != "get" else None)
                assert 400 <= answer.status_code < 500, (method, path, answer.text)
                sentence_of(answer)
    assert victim.files_beside() == before


_NO_NAMES = ["..", "../../x", "/etc/passwd", "a\x00b", "a/b", "", ".", "x" * 129, "\u202e", "-x"]


@pytest.mark.parametrize("name", _NO_NAMES)
def test_no_name_in_a_body_becomes_a_path(victim: Victim, name: str) -> None:
    before, mine = victim.files_beside(), victim.mine

    def post(route: str, /, **body: object) -> httpx.Response:
        return victim.http.post(f"/api/v1/{route}", json=body)

    made = post(
        "create_model", session_id=mine.session, model_seq_id=_NO_NAMES.index(name) + 1,
        base_model="tiny",
    ).json()  # fmt: skip
    for number, route in enumerate(("save_weights", "save_weights_for_sampler"), start=1):
        asked = post(route, model_id=made["model_id"], seq_id=number, path=name).json()
        outcome = post("retrieve_future", request_id=asked["request_id"]).json()
        # Refused in its turn, as its clients want it.
        assert outcome["category"] == "user"
        assert "is no name for a checkpoint" in outcome["error"]
    config = {"adapter": name, "base_model": "tiny"}
    messages = [{"role": "user", "content": "Hi"}]
    answers = [
        post("runs", config=config, records=[{"prompt": "a", "completion": "b"}]),
        post("sweeps", name=name, grid={"rank": [4]}, records=[{"prompt": "a"}], config={}),
        post("load_weights", model_id=mine.model, seq_id=999, path=f"tinker://{name}/weights/x"),
        post("weights_info", tinker_path=f"tinker://{mine.model}/weights/{name}"),
        post("weights_info", tinker_path=name),
        post("retrieve_future", request_id=f"save_weights/1/{name}/weights/{name}"),
        post("samples", model=name, messages=messages),
        victim.http.post("/v1/completions", json={"model": name or "x", "prompt": "a"}),
        victim.http.post(
            "/v1/completions", json={"model": "tiny", "adapter_uri": name, "prompt": "a"}
        ),
        victim.http.post(
            "/v1/completions", json={"model": f"twinkle://{name}/{name}", "prompt": "a"}
        ),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500, (answer.request.content, answer.text)
        sentence_of(answer)
    assert victim.files_beside() == before


@pytest.mark.parametrize("number", [-1, 0, 2**63, 10**30, 1.5, "x", None, True])
def test_no_number_is_too_strange(victim: Victim, number: object) -> None:
    mine, http = victim.mine, victim.http
    sample = a_sample(mine.sampler, 5)
    answers = [
        http.post("/api/v1/forward_backward", json={**a_pass(mine.model, 1), "seq_id": number}),
        http.post("/api/v1/optim_step", json={"model_id": mine.model, "seq_id": number}),
        http.post("/api/v1/asample", json={**sample, "seq_id": number}),
        http.post("/api/v1/asample", json={**sample, "sampling_params": {"seed": number}}),
        http.post("/api/v1/asample", json={**sample, "sampling_params": {"max_tokens": number}}),
        http.post("/api/v1/asample", json={**sample, "prompt": {"chunks": [{"tokens": [number]}]}}),
        http.post("/api/v1/create_model", json={
            "session_id": mine.session, "model_seq_id": number, "base_model": "tiny",
        }),
        http.get("/api/v1/checkpoints", params={"limit": str(number), "offset": str(number)}),
        http.get(f"/api/v1/runs/{mine.run}/events", params={"after": str(number), "follow": "0"}),
        http.post(f"/api/v1/runs/{mine.run}/rewind", json={"step": number}),
        http.post("/v1/completions", json={
            "model": "tiny", "prompt": [number], "max_tokens": 1, "seed": number,
        }),
        http.post("/v1/completions", json={"model": "tiny", "prompt": "a", "top_k": number,
                                           "max_tokens": 1}),
    ]  # fmt: skip
    for answer in answers:
        assert answer.status_code < 500, (answer.request.url, answer.request.content, answer.text)
        if answer.status_code >= 400:
            sentence_of(answer)
    asked = [one.json()["request_id"] for one in answers[2:6] if one.status_code == 200]
    for request_id in asked:
        outcome = http.post("/api/v1/retrieve_future", json={"request_id": request_id})
        assert outcome.json().get("category") != "server", outcome.text


def test_a_head_without_end_is_refused(victim: Victim) -> None:
    answer = victim.http.get("/api/v1/service", headers={"X-Much": "a" * 60_000})
    assert answer.status_code == 200
    url = httpx.URL(victim.live.connection.url)
    with socket.create_connection((url.host, url.port), 10) as link:
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Much: " + b"a" * 1_000_000)
        assert b" 400 " in link.recv(4096)
    # And it is still there.
    assert victim.http.get("/healthz").status_code == 200


class BrokenSampler:
    """Writes one token of an answer, and then nobody knows."""

    async def put_snapshot(self, snapshot: AdapterSnapshot) -> None:
        raise NotImplementedError

    async def sample(self, request: SampleRequest) -> AsyncGenerator[SampleDelta]:
        yield SampleDelta("a", (5,), (-1.0,), None)
        raise ZeroDivisionError("the secret of the house")


def _break_rows(live: LiveService, mine: Belongings) -> None:
    for key in (f"run/{mine.run}", f"session/anna/{mine.session}"):
        live.call(live.store.put(key, {"no": "such fields"}))


def test_the_unexpected_is_an_id_to_every_client_and_a_traceback_in_the_log(
    victim: Victim, caplog: pytest.LogCaptureFixture
) -> None:
    live, mine, http = victim.live, victim.mine, victim.http
    assert live.compute is not None
    broken = ServedModel(live.compute.trainer, cast("Any", BrokenSampler()), live.compute.template)
    live.compute = broken
    _break_rows(live, mine)
    messages = [{"role": "user", "content": "Hi"}]
    chat = {"model": "tiny", "messages": messages}
    sample = http.post("/api/v1/asample", json=a_sample(mine.sampler, 77)).json()["request_id"]
    with caplog.at_level(logging.ERROR):
        answers = [
            http.get(f"/api/v1/runs/{mine.run}"),
            http.get(f"/api/v1/sessions/{mine.session}"),
            http.get("/v1/models"),
            http.post("/v1/chat/completions", json=chat),
            http.post("/v1/chat/completions", json={**chat, "stream": True}),
            http.post("/v1/completions", json={"model": "tiny", "prompt": "a", "stream": True}),
            http.post("/api/v1/samples", json={"model": "base", "messages": messages}),
            http.post("/api/v1/retrieve_future", json={"request_id": sample}),
        ]
    assert [answer.status_code for answer in answers] == [500, 500, 500, 500, 200, 200, 200, 200]
    for answer in answers:
        assert "secret" not in answer.text
        found = re.search(r"Internal error, id (error_\w{12})\.", answer.text)
        assert found is not None, answer.text
        record = next(one for one in caplog.records if found[1] in one.getMessage())
        assert record.exc_info is not None
    forms = [answer.json() for answer in answers[:4]]
    assert forms[0]["error"]["code"] == "internal_error"
    assert set(forms[1]) == {"detail"}
    for form in forms[2:]:
        assert form["error"]["type"] == "server_error"
    assert json.loads(answers[4].text.rpartition("data: ")[2])["error"]["type"] == "server_error"
