"""A real JupyterHub with its proxy, from the configuration that we ship, and what its users do."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import platformdirs
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.free_port import free_port
from tests.journeys.conftest import processes_of, wait_until

SHIPPED = Path(__file__).parents[2] / "deploy" / "jupyterhub" / "jupyterhub_config.py"
#: The Hub is at no root of its own.
BASE = "/class"
PREFIX = "/services/twinkle"
_OPERATOR_TOKEN = "of-the-test-which-works-the-hub"  # noqa: S105
_NODE_PROXY = "configurable-http-proxy@5"


def proxy_command() -> list[str]:
    """Return the Hub's own proxy where there is node, kept for the next time; else Python's."""
    if shutil.which("npm") is not None:
        home = platformdirs.user_cache_path("twinkle") / "tests" / "hub-proxy"
        program = home / "node_modules" / ".bin" / "configurable-http-proxy"
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(home), _NODE_PROXY]
        if not program.exists():
            subprocess.run(install, check=False, capture_output=True, timeout=120)
        if program.exists():
            return [str(program)]
    return [str(Path(sys.executable).with_name("configurable-http-proxy"))]


@dataclass
class RealHub:
    """One Hub with the service as its own, in processes that end with it.

    Args:
        home: Folder of everything.
        settings: Of the service, as variables.
        groups: Of users, as the Hub has them.
    """

    home: Path
    settings: dict[str, str]
    groups: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port, self.hub_port, self.proxy_port, self.service_port = (
            free_port() for _ in range(4)
        )
        self.process: subprocess.Popen[bytes] | None = None
        #: All that were made.
        self.tokens: list[str] = []
        self.url = f"http://127.0.0.1:{self.port}{BASE}"
        #: Of the service, past the proxy.
        self.direct_url = f"http://127.0.0.1:{self.service_port}"
        headers = {"Authorization": f"token {_OPERATOR_TOKEN}"}
        self.operator = httpx.Client(base_url=f"{self.url}/hub/api", headers=headers, timeout=60)

    def start(self) -> None:
        """Start it and wait until the service answers behind the proxy."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TWINKLE_", "JUPYTER_", "JUPYTERHUB_"))
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        package = str(Path(__file__).parents[2])
        config = self.home / "config.py"
        config.write_text(self._config(), encoding="utf-8")
        with (self.home / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(config)],
                cwd=self.home,
                env={
                    **environment,
                    **self.settings,
                    "PATH": path,
                    "PYTHONPATH": package,
                    "TWINKLE_HOME": str(self.home / "twinkle"),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, 90, "starting the Hub and its service")

    def stop(self) -> None:
        """End it as its admin does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def end(self) -> None:
        """End it and see that nothing of the service is left."""
        self.stop()
        self.operator.close()
        wait_until(lambda: not self.processes(), 20, "ending every process")

    def processes(self) -> list[object]:
        return [*processes_of(str(self.home / "twinkle"))]

    def log(self) -> str:
        return (self.home / "hub.log").read_text(encoding="utf-8")

    def add_user(self, name: str) -> None:
        answer = self.operator.post(f"/users/{name}")
        assert answer.status_code in (201, 409), answer.text  # one of a group is there

    def token(self, name: str, *scopes: str) -> tuple[str, str]:
        """Make a token of a user; return it and its id."""
        answer = self.operator.post(f"/users/{name}/tokens", json={"scopes": scopes})
        body = answer.raise_for_status().json()
        self.tokens.append(str(body["token"]))
        return str(body["token"]), str(body["id"])

    def client(self, token: str, *, url: str = "", by: str = "Authorization") -> httpx.Client:
        """Return a client of the service behind the proxy."""
        value = f"Bearer {token}" if by == "Authorization" else token
        base = url or f"{self.url}{PREFIX}"
        return httpx.Client(base_url=base, headers={by: value} if token else {}, timeout=60)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()[-3000:]
        try:
            return httpx.get(f"{self.url}{PREFIX}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _config(self) -> str:
        operator = ["admin:users", "admin:servers", "admin:groups", "tokens", "access:servers"]
        return f"""
load_subconfig({str(SHIPPED)!r})
c.JupyterHub.bind_url = {self.url + "/"!r}
c.JupyterHub.hub_port = {self.hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{self.proxy_port}"
c.ConfigurableHTTPProxy.command = {proxy_command()!r}
c.JupyterHub.services[0]["url"] = {self.direct_url!r}
c.JupyterHub.services[0]["environment"]["JUPYTER_RUNTIME_DIR"] = {str(self.home / "runtime")!r}
c.JupyterHub.services.append({{"name": "operator", "api_token": {_OPERATOR_TOKEN!r}}})
c.JupyterHub.load_roles.append(
    {{"name": "operator", "services": ["operator"], "scopes": {operator!r}}}
)
c.JupyterHub.load_groups = { ({name: {"users": users} for name, users in self.groups.items()})!r}
# One user's kernel reaches the service as shipped, the other's by the proxy.
c.Spawner.environment = {{
    "TWINKLE_HUB_SERVICE_URL": lambda spawner: (
        {f"{self.url}{PREFIX}"!r} if spawner.user.name == "ben" else {self.direct_url!r}
    )
}}
c.SimpleLocalProcessSpawner.home_dir_template = {str(self.home / "users")!r} + "/{{username}}"
"""


@dataclass
class HubServer:
    """A user's own server, with one kernel."""

    hub: RealHub
    name: str
    kernel: str = ""

    def start(self) -> None:
        """Start it and a kernel, and wait until both are there."""
        token, _ = self.hub.token(self.name, f"access:servers!user={self.name}")
        headers = {"Authorization": f"token {token}"}
        self.token = token
        self.http = httpx.Client(
            base_url=f"{self.hub.url}/user/{self.name}", headers=headers, timeout=60
        )
        self.hub.operator.post(f"/users/{self.name}/server").raise_for_status()
        wait_until(self._is_ready, 60, "starting a user's server")
        self.kernel = str(self.http.post("/api/kernels").raise_for_status().json()["id"])

    def stop(self) -> None:
        """End server and kernel as the Hub's culler does."""
        self.hub.operator.delete(f"/users/{self.name}/server").raise_for_status()
        self.http.close()
        wait_until(lambda: not self._is_there(), 30, "ending a user's server")

    def run(self, code: str) -> str:
        """Run a cell; return all that it shows as text, and its error."""
        return asyncio.run(self._run(code))

    def frames(self, path: str, until: Callable[[dict[str, object]], bool]) -> list[str]:
        """Return what a websocket of our server extension says, up to a frame."""
        return asyncio.run(self._frames(path, until))

    async def _run(self, code: str) -> str:
        socket_ = await self._socket(f"/api/kernels/{self.kernel}/channels")
        message = uuid.uuid4().hex
        content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
        header = {"msg_id": message, "msg_type": "execute_request", "session": "s", "username": ""}
        await socket_.write_message(
            json.dumps(
                {
                    "header": {**header, "version": "5.3", "date": ""},
                    "parent_header": {},
                    "metadata": {},
                    "channel": "shell",
                    "content": content,
                }
            )
        )
        shown: list[str] = []
        # They come by two channels, in any order.
        has_replied = is_idle = False
        while not (has_replied and is_idle):
            text = await asyncio.wait_for(socket_.read_message(), 60)
            assert text is not None
            said = json.loads(text)
            if said["parent_header"].get("msg_id") != message:
                continue
            shown.append(json.dumps(said["content"]))
            has_replied |= said["msg_type"] == "execute_reply"
            is_idle |= said["content"].get("execution_state") == "idle"
        await _close(socket_)
        return "\n".join(shown)

    async def _frames(self, path: str, until: Callable[[dict[str, object]], bool]) -> list[str]:
        socket_ = await self._socket(path)
        frames: list[str] = []
        while True:
            text = await asyncio.wait_for(socket_.read_message(), 30)
            assert text is not None, frames
            frames.append(str(text))
            if until(json.loads(text)):
                await _close(socket_)
                return frames

    async def _socket(self, path: str) -> WebSocketClientConnection:
        address = f"{self.hub.url.replace('http', 'ws')}/user/{self.name}{path}"
        headers = {"Authorization": f"token {self.token}"}
        return await websocket_connect(HTTPRequest(address, headers=headers))

    def _is_there(self) -> bool:
        body = self.hub.operator.get(f"/users/{self.name}").raise_for_status().json()
        return bool(cast("dict[str, object]", body)["servers"])

    def _is_ready(self) -> bool:
        return self.http.get("/api/status").status_code == 200


async def _close(socket_: WebSocketClientConnection) -> None:
    socket_.close()
    while await asyncio.wait_for(socket_.read_message(), 10) is not None:
        pass
