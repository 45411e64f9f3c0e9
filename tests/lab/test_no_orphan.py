"""A real Jupyter server, ended as people end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from twinkle_jupyter.client.discovery import find_connection, is_running

Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.mark.crash
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=lambda by: by.name)
async def test_nothing_is_left_after_the_jupyter_server_ends(
    by: signal.Signals, small_service: list[str], service_home: Path, until: Until
) -> None:
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
        "--ServerApp.jpserver_extensions={'twinkle_jupyter': True}",
        *("--ServerApp.port=0", f"--ServerApp.root_dir={service_home}"),
        *(f"--TwinkleExtension.service_command={word}" for word in small_service),
    ]
    runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    with _start(command, service_home / "jupyter.log") as jupyter:
        try:
            await until((runtime / f"jpserver-{jupyter.pid}.json").exists)
            written = json.loads((runtime / f"jpserver-{jupyter.pid}.json").read_text("utf-8"))
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.post(
                    f"{written['url']}twinkle-jupyter/service/start",
                    headers={"Authorization": f"token {written['token']}"},
                )
            await until(find_connection)
            connection = find_connection()
            assert connection is not None

            jupyter.send_signal(by)

            await until(lambda: jupyter.poll() is not None)
            await until(lambda: not is_running(connection.pid))
        finally:
            jupyter.kill()
    said = (service_home / "jupyter.log").read_text("utf-8")
    assert "Traceback" not in said
    assert "was destroyed" not in said


def _start(command: list[str], log_path: Path) -> subprocess.Popen[bytes]:
    with log_path.open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)
