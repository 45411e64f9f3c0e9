"""Requests on their way to a service, from any thread, on whichever port it comes back.

HTTP connections are opened when they are needed, also after `close`, and closed once nobody reads
from them: a thread that finds the service elsewhere takes no answer from another one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx

from twinkle_jupyter.client.discovery import Connection, find_connection
from twinkle_jupyter.client.errors_from_wire import (
    no_service,
    raise_for_answer,
    unreachable,
)

CONNECT_S = 5.0


class Sender:
    """Sends requests to one service.

    Args:
        connection: Where it is at first.

    Attributes:
        connection: Where it was when something was last sent.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        # An answer that nobody reads to its end is given back wherever Python collects it, maybe
        # in a thread that has the lock.
        self._lock = threading.RLock()
        #: None after `close`, until the next request.
        self._pool: _Pool | None = _Pool(connection)

    def close(self) -> None:
        """Close the HTTP connections, those that are read from when that has ended."""
        with self._lock:
            self._retire()

    def find(self) -> Connection | None:
        """Look again where the service is, unless a person said it by address."""
        return find_connection() if self.connection.pid else self.connection

    @contextmanager
    def answer(
        self, method: str, path: str, content: bytes | None = None, *, timeout_s: float
    ) -> Iterator[httpx.Response]:
        """Send a request and give its answer, whose body is there to be read.

        Raises:
            ServiceUnavailableError: There is no service, or no answer in time.
            TwinkleError: What the service says.
        """
        with self._lent() as pool, _in_words(pool.connection, timeout_s):
            answer = pool.send(method, path, content, timeout_s)
            if isinstance(answer, httpx.Response):
                with closing(answer):
                    if answer.status_code >= 300:
                        answer.read()
                        raise_for_answer(answer, pool.connection)
                    yield answer
                return
            # Nothing was sent. The service may have come back elsewhere.
            self._move(pool, answer)
        with self.answer(method, path, content, timeout_s=timeout_s) as answer:
            yield answer

    @contextmanager
    def _lent(self) -> Iterator[_Pool]:
        """Give the HTTP connections, which stay open meanwhile."""
        with self._lock:
            pool = self._pool or self._open(self.find())
            pool.num_readers += 1
        try:
            yield pool
        finally:
            with self._lock:
                pool.num_readers -= 1
                pool.close_if_over()

    def _move(self, failed: _Pool, error: httpx.ConnectError) -> None:
        """Go where the service is now, unless another thread has done so."""
        with self._lock:
            if self._pool is not failed:
                return
            found = self.find()
            if found is None or found == failed.connection:
                raise unreachable(error, failed.connection, CONNECT_S) from error
            self._retire()
            self._open(found)

    def _open(self, connection: Connection | None) -> _Pool:
        if connection is None:
            raise no_service()
        self.connection, self._pool = connection, _Pool(connection)
        return self._pool

    def _retire(self) -> None:
        if self._pool is not None:
            self._pool.is_retired = True
            self._pool.close_if_over()
        self._pool = None


class _Pool:
    """HTTP connections to the service at one place."""

    def __init__(self, connection: Connection) -> None:
        headers = {
            "Authorization": f"Bearer {connection.api_key}",
            "Content-Type": "application/json",
        }
        self._http = httpx.Client(headers=headers, trust_env=not connection.is_local)
        self.connection = connection
        self.num_readers = 0
        #: Whether nobody begins to read from them any more.
        self.is_retired = False

    def send(
        self, method: str, path: str, content: bytes | None, timeout_s: float
    ) -> httpx.Response | httpx.ConnectError:
        """Send a request; return the answer's head, or why nothing was sent."""
        url = f"{self.connection.url}/api/v1{path}"
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_S)
        request = self._http.build_request(method, url, content=content, timeout=timeout)
        try:
            return self._http.send(request, stream=True)
        except httpx.ConnectError as error:
            return error

    def close_if_over(self) -> None:
        if self.is_retired and not self.num_readers:
            self._http.close()


@contextmanager
def _in_words(connection: Connection, timeout_s: float) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise unreachable(error, connection, timeout_s) from error
