"""Finding a service, or starting one: through the Jupyter server that is our parent, or alone.

The Jupyter server is known by what every kernel has: the id of its parent process and the file in
which that parent wrote its address. Nothing of jupyter_server is imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from twinkle_jupyter.client.discovery import Connection, find_connection
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.notebook.spawned_service import SpawnedService

#: What a service gets until it answers, in seconds.
START_S = 90.0
#: One request to the Jupyter server or a health check.
ASK_S = 5.0
POLL_S = 0.1

#: Services that this process spawned; kept so that an ended one is reaped and none is warned about.
_SPAWNED: list[subprocess.Popen[bytes]] = []
_WHY = "`%twinkle log` shows why."


@dataclass(frozen=True, slots=True)
class JupyterServer:
    """The Jupyter server that started this kernel."""

    url: str
    token: str

    def ask(self, method: str, path: str, timeout_s: float = ASK_S) -> dict[str, object] | None:
        """Call a route of our server extension; None when there is no such extension."""
        import httpx

        headers = {"Authorization": f"token {self.token}"} if self.token else {}
        url = f"{self.url.rstrip('/')}/twinkle-jupyter/{path}"
        try:
            answer = httpx.request(method, url, headers=headers, timeout=timeout_s, trust_env=False)
        except httpx.HTTPError:
            return None
        if not answer.is_success:
            return None
        return cast("dict[str, object]", answer.json())


def parent_server() -> JupyterServer | None:
    """Return the Jupyter server that is our parent, if it wrote down where it is."""
    parent = os.environ.get("JPY_PARENT_PID", "")
    if not parent.isdecimal():
        return None
    from jupyter_core.paths import jupyter_runtime_dir

    path = Path(jupyter_runtime_dir()) / f"jpserver-{parent}.json"
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    token = written.get("token") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
    return JupyterServer(url=str(written.get("url", "")), token=str(token))


def answers(connection: Connection) -> bool:
    """Tell whether something healthy listens there."""
    import httpx

    try:
        answer = httpx.get(f"{connection.url}/healthz", timeout=ASK_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success


def start_service(say: Callable[[str], None]) -> Connection:
    """Return the connection of a service that answers, starting one where none does.

    Args:
        say: Told what is being waited for, a sentence without a full stop.

    Raises:
        ServiceUnavailableError: It ended at once, or did not answer in time.
    """
    connection = find_connection()
    if connection is not None and answers(connection):
        return connection
    if connection is not None and connection.is_of_hub:
        raise ServiceUnavailableError(
            f"The training service of this JupyterHub, at {connection.url}, does not answer.",
            "Nothing is started here in its place: ask an admin of the Hub.",
        )
    if os.environ.get("TWINKLE_URL"):
        url = os.environ["TWINKLE_URL"]
        raise ServiceUnavailableError(
            f"The training service at {url} does not answer.",
            "`TWINKLE_URL` names it; without that variable one is started here.",
        )
    say("Starting the training service")
    server = parent_server()
    asked = server.ask("POST", "service/start") if server is not None else None
    if server is None or asked is None:
        # It outlives this kernel.
        spawned = SpawnedService()
        _SPAWNED.append(spawned.process)
        return _wait(spawned.check)
    asking = server

    def check() -> None:
        said = asking.ask("GET", "service") or {}
        if said.get("phase") == "failed":
            raise ServiceUnavailableError(str(said.get("message")), _WHY)

    return _wait(check)


def reap() -> None:
    """Take note of services of this process that have ended; until then they look alive."""
    for process in _SPAWNED:
        process.poll()


def _wait(check: Callable[[], None]) -> Connection:
    deadline = time.monotonic() + START_S
    next_check = 0.0
    while time.monotonic() < deadline:
        connection = find_connection()
        if connection is not None and answers(connection):
            return connection
        if time.monotonic() >= next_check:
            check()
            next_check = time.monotonic() + 1.0
        time.sleep(POLL_S)
    raise ServiceUnavailableError(
        f"The training service did not answer within {START_S:.0f} s.", _WHY
    )
