"""The sidebar's websocket: everything once, then changes, through the end of the service."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any, cast

import pytest
from jupyter_server.serverapp import ServerApp
from tornado.websocket import WebSocketClientConnection

from tests.lab.test_handlers import Fetch, OpenSocket, Until
from twinkle_jupyter.lab.overview_socket import FRAME_S
from twinkle_jupyter.lab.service_process import ServiceProcess


async def _open(jp_ws_fetch: OpenSocket) -> WebSocketClientConnection:
    return await jp_ws_fetch("twinkle-jupyter", "overview")


async def _frame(socket: WebSocketClientConnection) -> dict[str, Any]:
    message = await asyncio.wait_for(socket.read_message(), 60)
    return cast("dict[str, Any]", json.loads(cast("str", message)))


async def _close(socket: WebSocketClientConnection) -> None:
    socket.close()
    while await socket.read_message() is not None:
        pass


async def _start(jp_fetch: Fetch, jp_serverapp: ServerApp, until: Until) -> ServiceProcess:
    await jp_fetch("twinkle-jupyter", "service", "start", method="POST", body="")
    process: ServiceProcess = jp_serverapp.web_app.settings["twinkle_process"]
    await until(lambda: process.phase == "ready")
    return process


async def test_without_a_service_it_says_so_and_begins_when_there_is_one(
    jp_fetch: Fetch, jp_ws_fetch: OpenSocket
) -> None:
    socket = await _open(jp_ws_fetch)
    first = await _frame(socket)
    await jp_fetch("twinkle-jupyter", "service", "start", method="POST", body="")

    while "runs" not in (frame := await _frame(socket)):
        assert frame["service"]["phase"] == "starting"

    assert (first["service"]["phase"], first["can_start"], "runs" in first) == (
        "stopped",
        True,
        False,
    )
    assert frame["order"] == ["run_a", "run_b"]
    await _close(socket)


@pytest.mark.crash
async def test_tabs_share_one_question_and_hear_what_changed_through_a_kill(
    jp_fetch: Fetch, jp_serverapp: ServerApp, jp_ws_fetch: OpenSocket, until: Until,
    service_home: Path,
) -> None:  # fmt: skip
    process = await _start(jp_fetch, jp_serverapp, until)
    sockets = [await _open(jp_ws_fetch) for _ in range(3)]
    firsts = [await _frame(socket) for socket in sockets]
    began = asyncio.get_running_loop().time()
    second = await _frame(sockets[0])
    third = await _frame(sockets[0])
    seconds = asyncio.get_running_loop().time() - began

    # What was asked for, it was asked for once: each tag that was seen is in one question only.
    seen = (service_home / "ASKED").read_text("ascii").split()
    assert len(seen) == len(set(seen))
    assert all(len(first["runs"]) == 2 and first["rest"]["adapters"] == [] for first in firsts)
    assert [run["run_id"] for run in second["runs"]] == ["run_a"]
    assert "rest" not in second
    assert "order" not in second
    assert third["runs"][0]["step"] > second["runs"][0]["step"]
    assert seconds > FRAME_S * 0.9, "frames come at a rate that a browser can take"

    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    while "runs" in (frame := await _frame(sockets[1])):
        pass
    assert frame["service"]["phase"] == "starting"
    while "runs" not in (frame := await _frame(sockets[1])):
        pass
    assert frame["service"]["phase"] == "ready"
    for socket in sockets:
        await _close(socket)


async def test_nobody_is_asked_when_nobody_listens_and_nothing_old_is_told_after_that(
    jp_fetch: Fetch, jp_serverapp: ServerApp, jp_ws_fetch: OpenSocket, until: Until
) -> None:
    process = await _start(jp_fetch, jp_serverapp, until)
    socket = await _open(jp_ws_fetch)
    await _frame(socket)

    def watching() -> bool:
        return any(task.get_name() == "twinkle-overview" for task in asyncio.all_tasks())

    assert watching()
    await _close(socket)

    await until(lambda: not watching())

    await process.stop()
    socket = await _open(jp_ws_fetch)
    first = await _frame(socket)

    assert (first["service"]["phase"], "runs" in first) == ("stopped", False)
    await _close(socket)
