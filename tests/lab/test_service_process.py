"""The service as a child: started, watched, adopted, ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from twinkle_jupyter.client.discovery import connection_path, find_connection, is_running
from twinkle_jupyter.lab.service_process import ServiceProcess
from twinkle_jupyter.lab.upstream import Upstream

Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
async def process(small_service: list[str], service_home: Path) -> AsyncIterator[ServiceProcess]:
    upstream = Upstream()
    process = ServiceProcess(small_service, service_home / "service.log", upstream)
    yield process
    await process.stop()
    await upstream.close()


def _pid() -> int:
    connection = find_connection()
    return connection.pid if connection is not None else 0


async def test_stop_ends_the_child_and_removes_its_traces(
    process: ServiceProcess, until: Until
) -> None:
    process.start()
    assert process.phase == "starting"
    await until(lambda: process.phase == "ready")
    pid = process.pid
    assert pid is not None

    await process.stop()

    assert (process.phase, process.pid, is_running(pid)) == ("stopped", None, False)
    assert not connection_path().exists()


@pytest.mark.crash
async def test_a_killed_child_is_started_again_at_once(
    process: ServiceProcess, until: Until
) -> None:
    process.start()
    await until(lambda: process.phase == "ready")
    first = _pid()

    os.kill(first, signal.SIGKILL)

    await until(lambda: process.phase == "ready" and _pid() not in {0, first})
    assert not is_running(first)


@pytest.mark.crash
async def test_a_grandchild_on_our_pipe_does_not_hide_the_end_of_the_child(
    small_service: list[str], service_home: Path, until: Until
) -> None:
    upstream = Upstream()
    process = ServiceProcess([*small_service, "hold-stdin"], service_home / "service.log", upstream)
    process.start()
    await until(lambda: process.phase == "ready")
    first = _pid()
    os.kill(first, signal.SIGKILL)

    await until(lambda: _pid() not in {0, first})

    await process.stop()
    await upstream.close()
    grandchildren = _grandchildren(service_home)
    assert len(grandchildren) == 2
    await until(lambda: not any(is_running(pid) for pid in grandchildren))


def _grandchildren(folder: Path) -> list[int]:
    return [int(path.read_text(encoding="ascii")) for path in folder.glob("GRANDCHILD-*")]


async def test_a_child_that_cannot_start_is_given_up_with_its_last_words(
    small_service: list[str], service_home: Path, until: Until
) -> None:
    upstream = Upstream()
    process = ServiceProcess([*small_service, "fail"], service_home / "service.log", upstream)

    process.start()

    await until(lambda: process.phase == "failed")
    assert process.message == "The service does not stay up: The base model is not there."
    await upstream.close()


async def test_a_child_that_does_not_listen_is_killed(
    small_service: list[str],
    service_home: Path,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("twinkle_jupyter.lab.service_process.END_S", 0.2)
    monkeypatch.setattr("twinkle_jupyter.lab.service_process.TERM_S", 0.5)
    upstream = Upstream()
    process = ServiceProcess([*small_service, "deaf"], service_home / "service.log", upstream)
    process.start()
    await until(lambda: process.phase == "ready")
    pid = _pid()

    await process.stop()

    assert not is_running(pid)
    await upstream.close()


async def test_a_missing_command_is_a_sentence(service_home: Path, until: Until) -> None:
    upstream = Upstream()
    process = ServiceProcess(["/no/such/command"], service_home / "service.log", upstream)

    process.start()

    await until(lambda: process.phase == "failed")
    assert "/no/such/command" in process.message
    await upstream.close()


def _other(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE)


class TestAdopted:
    @pytest.fixture
    async def other(
        self, small_service: list[str], until: Until
    ) -> AsyncIterator[subprocess.Popen[bytes]]:
        with _other(small_service) as other:
            await until(find_connection)
            yield other
            other.kill()

    async def test_it_is_used_and_survives_our_end(
        self, process: ServiceProcess, other: subprocess.Popen[bytes], until: Until
    ) -> None:
        process.start()
        await until(lambda: process.phase == "ready")

        await process.stop()

        assert (_pid(), other.poll()) == (other.pid, None)

    async def test_it_is_not_started_again_when_it_left_in_order(
        self, process: ServiceProcess, other: subprocess.Popen[bytes], until: Until
    ) -> None:
        process.start()
        await until(lambda: process.phase == "ready")

        assert other.stdin is not None
        other.stdin.close()

        await until(lambda: process.phase == "stopped")
        assert _pid() == 0

    @pytest.mark.crash
    async def test_a_child_takes_its_place_when_it_is_killed(
        self, process: ServiceProcess, other: subprocess.Popen[bytes], until: Until
    ) -> None:
        process.start()
        await until(lambda: process.phase == "ready")

        other.kill()

        await until(lambda: process.pid is not None and _pid() == process.pid)
        await asyncio.wait_for(process.stop(), 15)

    async def test_it_is_ended_when_that_is_asked_for(
        self, process: ServiceProcess, other: subprocess.Popen[bytes], until: Until
    ) -> None:
        process.start()
        await until(lambda: process.phase == "ready")

        await process.stop(adopted=True)

        await until(lambda: other.poll() is not None)
