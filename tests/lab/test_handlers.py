"""The extension's routes and socket in a real Jupyter server over a real service process."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from jupyter_server.serverapp import ServerApp
from tornado.httpclient import HTTPClientError, HTTPResponse
from tornado.websocket import WebSocketClientConnection

from twinkle_jupyter.client.discovery import find_connection
from twinkle_jupyter.lab.service_process import ServiceProcess

Fetch = Callable[..., Awaitable[HTTPResponse]]
OpenSocket = Callable[..., Awaitable[WebSocketClientConnection]]
Until = Callable[[Callable[[], object]], Awaitable[None]]

ROUTES = [
    ("GET", "service"),
    ("POST", "service/start"),
    ("POST", "service/stop"),
    ("GET", "api/runs"),
    ("POST", "api/runs"),
    ("PUT", "api/admin/broadcast"),
    ("DELETE", "api/adapters/pirate"),
    ("GET", "runs/run_a/events"),
    ("GET", "overview"),
    ("POST", "train"),
]


@pytest.fixture
async def running(jp_fetch: Fetch, jp_serverapp: ServerApp, until: Until) -> ServiceProcess:
    await jp_fetch("twinkle-jupyter", "service", "start", method="POST", body="")
    process: ServiceProcess = jp_serverapp.web_app.settings["twinkle_process"]
    await until(lambda: process.phase == "ready")
    return process


def test_every_route_of_ours_is_in_the_list(jp_serverapp: ServerApp) -> None:
    extension = jp_serverapp.web_app.settings["twinkle_jupyter"]
    patterns = [f"/twinkle-jupyter/{path}" for _, path in ROUTES]

    unlisted = [
        route
        for route, *_ in extension.handlers
        if not any(map(re.compile(route).fullmatch, patterns))
    ]

    assert unlisted == []


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=str)
async def test_a_stranger_is_refused(jp_fetch: Fetch, method: str, path: str) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch(
            "twinkle-jupyter",
            *path.split("/"),
            method=method,
            headers={"Authorization": "token wrong"},
            allow_nonstandard_methods=True,
        )

    assert caught.value.code == 403


async def test_asking_for_the_service_starts_none(jp_fetch: Fetch) -> None:
    answer = await jp_fetch("twinkle-jupyter", "service")

    assert json.loads(answer.body)["phase"] == "stopped"
    assert find_connection() is None


async def test_start_answers_at_once_and_stop_ends_it(
    jp_fetch: Fetch, jp_serverapp: ServerApp, until: Until
) -> None:
    answer = await jp_fetch("twinkle-jupyter", "service", "start", method="POST", body="")
    assert json.loads(answer.body)["phase"] == "starting"
    await until(find_connection)

    answer = await jp_fetch("twinkle-jupyter", "service")
    assert json.loads(answer.body)["version"] == "small"
    answer = await jp_fetch("twinkle-jupyter", "service", "stop", method="POST", body="")

    assert json.loads(answer.body)["phase"] == "stopped"
    assert find_connection() is None


@pytest.mark.usefixtures("running")
class TestProxy:
    async def test_body_and_status_pass_and_the_key_is_added(self, jp_fetch: Fetch) -> None:
        answer = await jp_fetch("twinkle-jupyter", "api", "runs", method="POST", body='{"a": 1}')

        assert (answer.code, json.loads(answer.body)) == (
            201,
            {"path": "/api/v1/runs", "body": '{"a": 1}'},
        )

    async def test_a_body_larger_than_any_wish_is_not_passed_on(self, jp_fetch: Fetch) -> None:
        body = "x" * (8 * 2**20 + 1)
        with pytest.raises(HTTPClientError) as caught:
            await jp_fetch(
                "twinkle-jupyter", "api", "runs", "run_a", "set", method="POST", body=body
            )

        response = cast("HTTPResponse", caught.value.response)
        assert caught.value.code == 413
        assert json.loads(response.body)["error"]["message"] == "The request is larger than 8 MiB."

    async def test_an_error_body_passes(self, jp_fetch: Fetch) -> None:
        with pytest.raises(HTTPClientError) as caught:
            await jp_fetch("twinkle-jupyter", "api", "runs", "nobody")

        response = cast("HTTPResponse", caught.value.response)
        assert caught.value.code == 404
        assert json.loads(response.body)["error"]["message"] == "There is no such run."

    async def test_jupyters_own_secrets_are_not_passed_on(self, jp_fetch: Fetch) -> None:
        answer = await jp_fetch(
            "twinkle-jupyter", "api", "echo", params={"after": "3", "_xsrf": "secret"}
        )

        assert json.loads(answer.body) == {"query": "after=3"}

    async def test_a_stream_passes_as_it_is_sent(self, jp_fetch: Fetch) -> None:
        chunks: list[bytes] = []

        await jp_fetch(
            *("twinkle-jupyter", "api", "runs", "run_a", "events"),
            params={"after": "0"},
            streaming_callback=chunks.append,
        )

        assert len(chunks) > 5
        assert b"".join(chunks).count(b"data:") == 101

    @pytest.mark.parametrize(
        "path",
        ["../healthz", "..%2F..%2Fhealthz", "%2e%2e/x", "/evil", "http:%2F%2Fevil", "a//b", ""],
    )
    async def test_no_path_leads_out_of_the_api(self, jp_fetch: Fetch, path: str) -> None:
        with pytest.raises(HTTPClientError) as caught:
            await jp_fetch("twinkle-jupyter", "api/" + path)

        assert caught.value.code == 404


async def test_without_a_service_the_proxy_says_so(jp_fetch: Fetch) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("twinkle-jupyter", "api", "runs")

    response = cast("HTTPResponse", caught.value.response)
    assert (caught.value.code, json.loads(response.body)["error"]["code"]) == (
        503,
        "service_unavailable",
    )


async def _frames(socket: WebSocketClientConnection) -> list[dict[str, object]]:
    frames = []
    while (message := await socket.read_message()) is not None:
        frames.append(json.loads(message))
    socket.close()
    return frames


class TestSocket:
    @pytest.mark.crash
    async def test_events_go_on_after_the_service_was_killed_and_none_comes_twice(
        self, running: ServiceProcess, jp_ws_fetch: OpenSocket
    ) -> None:
        socket = await jp_ws_fetch("twinkle-jupyter", "runs", "run_a", "events")
        first = json.loads(cast("str", await socket.read_message()))
        assert running.pid is not None
        os.kill(running.pid, signal.SIGKILL)

        frames = await _frames(socket)

        assert first == {"type": "connection", "state": "live", "message": ""}
        ids = [frame["id"] for frame in frames if frame["type"] == "event"]
        assert ids == list(range(1, 102))
        states = [frame["state"] for frame in frames if frame["type"] == "connection"]
        assert states == ["waiting", "live"]
        assert frames[-1] == {"type": "end"}
        assert socket.close_code == 1000

    @pytest.mark.usefixtures("running")
    async def test_only_events_after_the_given_one_are_sent(self, jp_ws_fetch: OpenSocket) -> None:
        socket = await jp_ws_fetch(
            "twinkle-jupyter", "runs", "run_a", "events", params={"after": "99"}
        )

        frames = await _frames(socket)

        assert [frame.get("id") for frame in frames] == [None, 100, 101, None]

    @pytest.mark.usefixtures("running")
    async def test_a_run_that_was_over_before_ends_at_once(
        self, jp_ws_fetch: OpenSocket, jp_fetch: Fetch
    ) -> None:
        await jp_fetch("twinkle-jupyter", "api", "runs", "run_a", "events", params={"after": "0"})
        socket = await jp_ws_fetch(
            "twinkle-jupyter", "runs", "run_a", "events", params={"after": "101"}
        )

        frames = await _frames(socket)

        assert [frame["type"] for frame in frames] == ["connection", "end"]

    @pytest.mark.usefixtures("running")
    async def test_an_unknown_run_is_an_error_and_the_end(self, jp_ws_fetch: OpenSocket) -> None:
        socket = await jp_ws_fetch("twinkle-jupyter", "runs", "nobody", "events")

        assert await _frames(socket) == [
            {
                "type": "error",
                "error": {"code": "not_found", "message": "There is no such run.", "hint": ""},
            }
        ]

    async def test_it_waits_while_there_is_no_service(
        self, jp_fetch: Fetch, jp_ws_fetch: OpenSocket
    ) -> None:
        socket = await jp_ws_fetch(
            "twinkle-jupyter", "runs", "run_a", "events", params={"after": "100"}
        )
        first = json.loads(cast("str", await socket.read_message()))
        await jp_fetch("twinkle-jupyter", "service", "start", method="POST", body="")

        frames = await _frames(socket)

        assert (first["type"], first["state"]) == ("connection", "waiting")
        assert [frame["type"] for frame in frames] == ["connection", "event", "end"]
