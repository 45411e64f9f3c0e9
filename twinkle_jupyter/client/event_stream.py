"""A run's events for as long as somebody reads: over restarts of the service, never one twice.

After each interruption the stream looks up the service anew, since it may have come back on another
port with another key, and goes on after the last position it has.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, cast
from urllib.parse import quote

from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.client.errors_from_wire import no_service, raise_for_answer, unreachable
from twinkle_jupyter.client.sse import FrameParser
from twinkle_jupyter.errors import NotAllowedError, ServiceUnavailableError
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import ends_run

if TYPE_CHECKING:
    import httpx

#: Longest silence: the service sends something every 10 s.
SILENCE_S = 25.0
CONNECT_S = 5.0
#: Pauses between two attempts, in seconds; the last one is repeated.
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)

LinkState = Literal["live", "waiting"]


@dataclass(frozen=True, slots=True)
class RunEventRecord:
    """An event and its position in the run's log."""

    id: int
    #: `kind`, `at` and the fields of that kind.
    entry: Row


class EventStream:
    """Iterates over a run's events; ends after a terminal state, or by `stop` from any thread.

    Args:
        find: Tells where the service is now; None or an error means: not yet.
        run: A run id; with an adapter's name a restart could lead to another run.
        after: The last position the reader has.
        follow: Go on with new events, else end when all were sent.
        on_link: Told "live" and "waiting" with a sentence, each time that it changes.

    Raises:
        NotFoundError: There is no such run.
        NotAllowedError: The service does not take the key.
        ServiceUnavailableError: It is away and `follow` is not set.
    """

    def __init__(
        self,
        find: Callable[[], Connection | None],
        run: str,
        *,
        after: int = 0,
        follow: bool = True,
        on_link: Callable[[LinkState, str], None] | None = None,
    ) -> None:
        self._find = find
        self._path = f"/api/v1/runs/{quote(run, safe='')}/events"
        self._follow = follow
        self._on_link = on_link
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._link: LinkState | None = None
        self._has_ended = False
        #: Position of the newest event that was handed out.
        self.position = after

    def __iter__(self) -> Iterator[RunEventRecord]:
        """Yield events in order of position, each once."""
        refused: Connection | None = None
        attempt = 0
        while not self._stopped.is_set() and not self._has_ended:
            before, connection = self.position, None
            try:
                connection = self._find_service()
                yield from self._read(connection)
                refused = None
            except NotAllowedError:
                # A file from before a restart has an old key: once more, then it is the truth.
                if connection is None or connection == refused or not self._follow:
                    raise
                refused = connection
            except ServiceUnavailableError as error:
                if not self._follow:
                    raise
                self._tell("waiting", error.message)
            attempt = 0 if self.position > before else attempt + 1
            if not self._has_ended:
                self._stopped.wait(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])

    def stop(self) -> None:
        """End the iteration at once, also while it waits in another thread. Never blocks."""
        self._stopped.set()
        with self._lock:
            if self._socket is not None:
                # Closing would not wake a thread that reads; this does.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _find_service(self) -> Connection:
        connection = self._find()
        if connection is None:
            raise no_service()
        return connection

    def _read(self, connection: Connection) -> Iterator[RunEventRecord]:
        """Yield what one connection brings."""
        import httpx

        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        headers = {"Authorization": f"Bearer {connection.api_key}"}
        query = {"after": str(self.position), "follow": str(self._follow).lower()}
        url = f"{connection.url}{self._path}"
        try:
            with (
                httpx.Client(timeout=timeout, trust_env=not connection.is_local) as client,
                client.stream("GET", url, params=query, headers=headers) as answer,
                self._watched(answer),
            ):
                if answer.status_code >= 300:
                    answer.read()
                    raise_for_answer(answer, connection)
                # The reader has the terminal event: there is nothing to come back for.
                self._has_ended = answer.status_code == 204
                self._tell("live", "")
                yield from self._events(answer)
        except httpx.TransportError as error:
            if not self._stopped.is_set():
                is_open = isinstance(error, httpx.ReadTimeout)
                waited = SILENCE_S if is_open else CONNECT_S
                raise unreachable(error, connection, waited) from error

    def _events(self, answer: httpx.Response) -> Iterator[RunEventRecord]:
        for part in map(FrameParser().feed, answer.iter_lines()):
            if self._stopped.is_set():
                return
            if part is None or not part.event_id or int(part.event_id) <= self.position:
                continue
            self.position = int(part.event_id)
            entry = cast("Row", json.loads(part.data))
            self._has_ended = ends_run(entry)
            yield RunEventRecord(self.position, entry)
        # Without a terminal event this is the service going away, unless nobody wants more.
        self._has_ended = self._has_ended or not self._follow

    @contextlib.contextmanager
    def _watched(self, answer: httpx.Response) -> Iterator[None]:
        """Let `stop` reach the socket while the answer is read."""
        stream = answer.extensions.get("network_stream")
        with self._lock:
            self._socket = stream.get_extra_info("socket") if stream is not None else None
        try:
            yield
        finally:
            with self._lock:
                self._socket = None

    def _tell(self, link: LinkState, message: str) -> None:
        if self._on_link is not None and link != self._link:
            self._on_link(link, message)
        self._link = link
