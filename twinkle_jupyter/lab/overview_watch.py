"""What the service says of a user's work, watched once for all tabs of the browser.

One task asks while at least one tab listens: `GET /overview` answers when there is something new.
A service that is away is looked for, and what is known of it is news, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.lab.service_process import ServiceProcess
from twinkle_jupyter.lab.upstream import (
    CONNECT_S,
    ServiceBody,
    Upstream,
    authorization,
    service_body,
)

if TYPE_CHECKING:
    import httpx

#: What the service may take until it answers that nothing has changed, in seconds.
WAIT_S = 15.0
#: It hangs when it is silent for so much longer.
GRACE_S = 8.0
#: How often a service that is away, or does not take our question, is asked again.
RETRY_S = 0.5
REFUSED_S = 3.0

#: Between an answer and the next question: runs at full speed are news all the time.
PAUSE_S = 0.4

OverviewBody = Mapping[str, object]
#: Of the service itself.
_TOLD = ("version", "phase", "message")


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known by now."""

    #: Grows with each news.
    number: int
    #: `phase`, `message`, `version` of the service.
    service: ServiceBody
    #: None while the service is away.
    overview: OverviewBody | None
    #: Whether this server's key is an admin's.
    is_admin: bool = False


class OverviewWatch:
    """Asks the service while somebody listens.

    Args:
        upstream: The way to the service.
        process: Knows about a service that does not answer.
    """

    def __init__(self, upstream: Upstream, process: ServiceProcess) -> None:
        self._upstream = upstream
        self._process = process
        self._num_listeners = 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._forget()
        self._is_admin = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Have the service watched inside of this."""
        self._num_listeners += 1
        if self._task is None or self._task.done():
            self._task = self._upstream.own(self._watch(), "twinkle-overview")
        try:
            yield
        finally:
            self._num_listeners -= 1
            if self._num_listeners == 0 and self._task is not None:
                self._task.cancel()
                self._task = None
                self._forget()

    async def wait(self, after: int) -> Watched:
        """Return what is known as soon as it is newer than number `after`."""
        while self._watched.number <= after:
            await self._news.wait()
        return self._watched

    def _forget(self) -> None:
        """Nobody looks any more: whoever comes next waits for an answer."""
        self._watched = Watched(0, service_body("starting", ""), None)
        self._seen = ""

    def _publish(self, service: ServiceBody, overview: OverviewBody | None) -> None:
        known = self._watched
        if known.number and (known.service, known.overview) == (service, overview):
            return
        self._watched = Watched(known.number + 1, service, overview, self._is_admin)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _watch(self) -> None:
        while True:
            pause = await self._ask()
            await asyncio.sleep(pause)

    async def _ask(self) -> float:
        """Ask once; return the seconds until it may be asked again."""
        import httpx

        try:
            connection = self._upstream.connection()
        except TwinkleError as error:
            return self._be_without(service_body("failed", str(error)))
        if connection is None:
            return self._be_away()
        try:
            answer = await self._upstream.client.get(
                f"{connection.url}/api/v1/overview",
                params={"seen": self._seen, "wait_s": WAIT_S if self._seen else 0.0},
                headers=authorization(connection),
                timeout=httpx.Timeout(WAIT_S + GRACE_S, connect=CONNECT_S),
            )
        except httpx.TimeoutException:
            return self._be_without(service_body("starting", "The service does not answer"))
        except httpx.TransportError:
            return self._be_away()
        overview = _overview_of(answer) if answer.is_success else None
        if overview is None:
            return self._be_refused(answer)
        if not self._seen:
            self._is_admin = await self._ask_for_admin(connection)
        self._seen = str(overview["tag"])
        self._publish({name: overview[name] for name in _TOLD}, overview)
        return PAUSE_S

    async def _ask_for_admin(self, connection: Connection) -> bool:
        """Tell whether the service takes us for an admin; asked when it has come."""
        import httpx

        try:
            answer = await self._upstream.client.get(
                f"{connection.url}/api/v1/admin/maintenance",
                headers=authorization(connection),
                timeout=CONNECT_S,
            )
        except httpx.TransportError:
            return False
        return answer.is_success

    def _be_away(self) -> float:
        if self._upstream.is_elsewhere:
            return self._be_without(service_body("starting", "The service does not answer"))
        return self._be_without(self._process.as_body())

    def _be_without(self, service: ServiceBody) -> float:
        self._seen = ""
        self._publish(service, None)
        return RETRY_S

    def _be_refused(self, answer: httpx.Response) -> float:
        if answer.status_code == 401:
            reason = "The service does not take this server's API key."
        elif answer.status_code == 404:
            reason = "The service is older than this extension: restart it."
        elif answer.status_code in {429, 503}:
            return REFUSED_S  # what is known stays; it says itself that it passes
        else:
            reason = f"The service answered {answer.status_code}."
        self._be_without(service_body("failed", reason))
        return REFUSED_S


def _overview_of(answer: httpx.Response) -> OverviewBody | None:
    """Return what the service says; None where it is something else that answers."""
    try:
        body = answer.json()
    except ValueError:
        return None
    is_whole = isinstance(body, dict) and all(name in body for name in ("tag", *_TOLD))
    return cast("OverviewBody", body) if is_whole else None
