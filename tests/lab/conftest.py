"""The small service as a child, and a Jupyter server with our extension."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from jupyter_server.serverapp import ServerApp

# Here and not as a plugin, which would bring its autouse fixtures to every test of the tree. Three
# of its fixtures are replaced below.
from pytest_jupyter.jupyter_server import *  # noqa: F403 - pytest finds fixtures by their names

from twinkle_jupyter.client.discovery import find_connection, is_running

Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture  # type: ignore[no-redef]
async def jp_asyncio_loop() -> asyncio.AbstractEventLoop:
    """The Jupyter server of a test runs on the loop of the test."""
    return asyncio.get_running_loop()


@pytest.fixture(autouse=True)  # type: ignore[no-redef]
def jp_server_cleanup(
    jp_asyncio_loop: asyncio.AbstractEventLoop, service_home: Path
) -> Iterator[None]:
    """End a test's Jupyter server as SIGTERM would, before it is asked what is left."""
    yield
    if ServerApp.initialized():
        app = ServerApp.instance()
        jp_asyncio_loop.run_until_complete(app._cleanup())
        app.kernel_manager.context.destroy()
        ServerApp.clear_instance()


@pytest.fixture
def service_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own for connection file, log and the small service's state."""
    runtime = tmp_path / "runtime-of-twinkle"
    runtime.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("TWINKLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TWINKLE_URL", raising=False)
    yield tmp_path
    left = find_connection()
    assert left is None or not is_running(left.pid), "the service outlived its test"


@pytest.fixture
def small_service(service_home: Path) -> list[str]:
    """The command of a small service."""
    root = str(Path(__file__).parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    return [sys.executable, str(Path(__file__).with_name("small_service.py")), str(service_home)]


@pytest.fixture
def until() -> Until:
    """Wait until something is true, for 15 s at most."""

    async def wait(claim: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not claim():
            assert time.monotonic() < deadline, "it did not become true within 15 s"
            await asyncio.sleep(0.02)

    return wait


@pytest.fixture  # type: ignore[no-redef]
def jp_server_config(small_service: list[str]) -> dict[str, object]:
    return {
        "ServerApp": {
            "jpserver_extensions": {
                "twinkle_jupyter": True,
                "jupyter_server_terminals": False,  # its socket warns about its own authentication
            },
            "allow_unauthenticated_access": False,
        },
        "TwinkleExtension": {"service_command": small_service},
    }
