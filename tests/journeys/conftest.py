"""The product as a person has it: a real JupyterLab, a real browser, the real base model."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import platformdirs
import psutil
import pytest

from tests.client.live_service import LiveService
from tests.free_port import free_port
from twinkle_jupyter.cli.tutorial import say_no_to_jupyter_news
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL

if TYPE_CHECKING:
    from tests.journeys.service_process import Service

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def base_model_folder() -> Path:
    """SmolLM2 in the user's own cache, fetched if it is not there."""
    from twinkle_jupyter.launch.model_fetch import ensure_base_model

    return ensure_base_model(DEFAULT_BASE_MODEL, lambda _: None)


@dataclass
class Lab:
    """A running JupyterLab with a home of its own."""

    home: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    port: int
    token: str
    #: Without a slash at the end; empty at the root.
    base_url: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base_url}"

    @property
    def folder(self) -> Path:
        return self.home / "work"

    def api(self, method: str, path: str) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=30)

    def processes(self) -> list[psutil.Process]:
        """Everything alive that was started in this home, however it was started."""
        return processes_of(self.environment["TWINKLE_HOME"])

    def service_pid(self) -> int:
        path = Path(self.environment["JUPYTER_RUNTIME_DIR"]) / "twinkle-service.json"
        return int(json.loads(path.read_text(encoding="utf-8"))["pid"])


def processes_of(twinkle_home: str) -> list[psutil.Process]:
    """Return the live processes whose environment names this home, but not this one."""
    found = []
    for process in psutil.process_iter():
        try:
            named = process.environ().get("TWINKLE_HOME")
            is_ours = named == twinkle_home and process.pid != os.getpid()
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(check: Callable[[], object], timeout_s: float, what: str) -> float:
    """Wait until `check()` is true; return the seconds it took."""
    start = time.monotonic()
    while not check():
        assert time.monotonic() - start < timeout_s, f"{what} took longer than {timeout_s} s"
        time.sleep(0.05)
    return time.monotonic() - start


@dataclass
class LabStarter:
    """Starts JupyterLab, and ends whatever is left of it."""

    root: Path
    started: list[Lab] = field(default_factory=list)

    def __call__(
        self, *arguments: str, module: str = "jupyterlab", without: str = "", base_url: str = ""
    ) -> Lab:
        """Start one.

        Args:
            arguments: More of the command line.
            module: What is started: `jupyterlab` or `notebook`.
            without: A labextension that is not to be loaded.
            base_url: Path below which it answers.
        """
        home = self.root / secrets.token_hex(4)
        (home / "work").mkdir(parents=True)
        if without:
            _disable(home / "config", without)
        say_no_to_jupyter_news(home / "config" / "lab" / "user-settings")
        port = free_port()
        token = secrets.token_hex(16)
        environment = _environment(home)
        with (home / "lab.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    module,
                    "--no-browser",
                    "--allow-root",
                    "--ServerApp.ip=127.0.0.1",
                    f"--ServerApp.port={port}",
                    "--ServerApp.port_retries=0",
                    f"--IdentityProvider.token={token}",
                    f"--ServerApp.base_url={base_url}/",
                    *arguments,
                ],
                env=environment,
                cwd=home / "work",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        lab = Lab(home, environment, process, port, token, base_url)
        self.started.append(lab)

        def answers() -> bool:
            try:
                return lab.api("GET", "/api/status").is_success
            except httpx.TransportError:
                return False

        wait_until(answers, 60, "starting JupyterLab")
        return lab

    def end_all(self) -> None:
        for lab in self.started:
            if lab.process.poll() is None:
                lab.process.send_signal(signal.SIGTERM)
                lab.process.wait(30)
            for process in lab.processes():
                process.kill()


def _environment(home: Path) -> dict[str, str]:
    """Return this process's own with every folder of Jupyter and Twinkle below a home."""
    cache = os.environ.get("TWINKLE_CACHE", str(platformdirs.user_cache_path("twinkle")))
    return {
        **os.environ,
        "HOME": str(home),
        "TWINKLE_HOME": str(home / "twinkle"),
        "TWINKLE_CACHE": cache,
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
    }


def _disable(config: Path, labextension: str) -> None:
    page = config / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True)
    page.write_text(json.dumps({"disabledExtensions": {labextension: True}}), encoding="utf-8")


@pytest.fixture
def start_lab(tmp_path: Path, base_model_folder: Path) -> Iterator[LabStarter]:
    starter = LabStarter(tmp_path)
    yield starter
    starter.end_all()


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium")
    assert found is not None, "Chromium is needed: apt-get install chromium"
    return found


@pytest.fixture
def live_service(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LiveService]:
    """A service in this process, which samples from the tiny model, and which a Lab finds."""
    with LiveService(tmp_path / "service", model=tiny_model) as live:
        monkeypatch.setenv("TWINKLE_URL", live.connection.url)
        monkeypatch.setenv("TWINKLE_API_KEY", live.connection.api_key)
        yield live


@pytest.fixture
def service(
    tiny_model: Path, private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """A service of the tiny model, over Ray, that leaves nothing behind."""
    from tests.journeys.service_process import Service

    monkeypatch.setenv("TWINKLE_BASE_MODEL", str(tiny_model))
    service = Service(os.environ["TWINKLE_HOME"])
    service.start()
    yield service
    service.end()
