"""The training service as the extension reaches it: where it is, its key, one HTTP client.

The key is added here and never leaves the Jupyter server. Nothing here knows Tornado or starts a
service.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from twinkle_jupyter import __version__
from twinkle_jupyter.client.discovery import Connection, find_connection, find_hub_connection
from twinkle_jupyter.errors import TwinkleError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import httpx

#: To connect, and to answer a plain request, in seconds.
CONNECT_S = 2.0
ANSWER_S = 30.0

#: Each run that a panel shows holds one, and a plot may have 64.
MAX_CONNECTIONS = 1000

ServiceBody = Mapping[str, object]


class Upstream:
    """Finds the service and holds the client that speaks with it.

    Args:
        service_url: A service elsewhere; empty for the one of the JupyterHub around this server,
            else the one that the connection file names.
        api_key: Key for the service at `service_url`.
    """

    def __init__(self, service_url: str = "", api_key: str = "") -> None:
        service_url = service_url or os.environ.get("TWINKLE_URL", "")
        of_hub = None if service_url else find_hub_connection()
        self.is_elsewhere = bool(service_url) or of_hub is not None
        self._elsewhere = of_hub or Connection(
            url=service_url.rstrip("/"), api_key=api_key or os.environ.get("TWINKLE_API_KEY", "")
        )
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def client(self) -> httpx.AsyncClient:
        """The one client, made at the first request: Jupyter's start does not pay for it."""
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
                limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=20),
                trust_env=self.is_elsewhere and not self._elsewhere.is_local,
            )
        return self._client

    async def open(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the answer with its body unread, for the caller to close.

        Who is cancelled meanwhile leaves nothing: the answer is let begin and closed then, since a
        connection whose making is cancelled is never given back by the client's pool.
        """
        opening = asyncio.create_task(self.client.send(request, stream=True))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            self.own(_close_once_open(opening), "twinkle-unwanted-answer")
            raise

    def connection(self) -> Connection | None:
        """Return where the service is said to be, without asking whether it is there.

        Raises:
            NotAllowedError: The connection file is open to others.
        """
        return self._elsewhere if self.is_elsewhere else find_connection()

    async def find(self) -> Connection | None:
        """Return the connection of a service that is there.

        One that is merely slow counts as there: under load a health check may be late.
        """
        import httpx

        connection = self.connection()
        if connection is None:
            return None
        try:
            answer = await self.client.get(f"{connection.url}/healthz", timeout=CONNECT_S)
        except httpx.ReadTimeout:
            return connection
        except httpx.TransportError:
            return None
        return connection if answer.is_success else None

    async def service(self) -> ServiceBody | None:
        """Return what the service says of itself, None when it does not answer."""
        import httpx

        try:
            connection = self.connection()
        except TwinkleError as error:
            return service_body("failed", str(error))
        if connection is None:
            return None
        url, headers = f"{connection.url}/api/v1/service", authorization(connection)
        try:
            answer = await self.client.get(url, headers=headers, timeout=CONNECT_S)
        except httpx.TransportError:
            return None
        if answer.is_success:
            return cast("ServiceBody", answer.json())
        if answer.status_code == 401:
            return service_body("failed", "The service does not take this server's API key.")
        return service_body("failed", f"The service answered {answer.status_code}.")

    def own(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run `work` in a task that ends with the extension at the latest."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def end_tasks(self) -> None:
        """Cancel every task that `own` began and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """End the tasks and the client."""
        await self.end_tasks()
        if self._client is not None:
            await self._client.aclose()
            self._client = None


async def _close_once_open(opening: asyncio.Task[httpx.Response]) -> None:
    import httpx

    try:
        answer = await opening
    except httpx.TransportError:
        return
    await answer.aclose()


def authorization(connection: Connection) -> dict[str, str]:
    """Return the header that a request to the service needs."""
    return {"Authorization": f"Bearer {connection.api_key}"}


def service_body(phase: str, message: str) -> ServiceBody:
    """Return a `Service` body for when no service can give its own."""
    return {
        "version": __version__,
        "phase": phase,
        "message": message,
        "base_models": [],
        "num_active_runs": 0,
    }
