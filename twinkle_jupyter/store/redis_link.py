"""The way to a Redis server: one pool of connections, and patience while the server is away.

Nothing here knows rows or logs. What is tried again may have been done already: whoever calls sees
to it that doing it twice does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from twinkle_jupyter.errors import MissingDependencyError, ServiceUnavailableError, TwinkleError

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

_LOGGER = logging.getLogger(__name__)

T = TypeVar("T")

_MAX_CONNECTIONS = 16
#: One command, and the way to the server, in seconds.
_ANSWER_S = 10.0
_CONNECT_S = 3.0
_LONGEST_PAUSE_S = 1.0
#: Words that a server's refusal begins with when it can write again later.
_PASSING = ("MISCONF", "READONLY", "LOADING", "BUSY", "TRYAGAIN", "OOM", "NOREPLICAS")


class RedisLink:
    """Sends commands for as long as it takes the server to come back.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as redis-py reads it; may hold a password.
        patience_s: How long a server that is away is tried again.

    Raises:
        MissingDependencyError: There is no redis-py.
    """

    def __init__(self, url: str, patience_s: float) -> None:
        try:
            import redis.asyncio as redis_asyncio
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError as error:
            raise MissingDependencyError(
                "A store in Redis needs the package `redis`.",
                "Install it with `pip install 'twinkle-jupyter[redis]'`.",
            ) from error
        self.name = shown_url(url)
        self.patience_s = patience_s
        pool = redis_asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=_MAX_CONNECTIONS,
            timeout=_ANSWER_S,
            socket_timeout=_ANSWER_S,
            socket_connect_timeout=_CONNECT_S,
            retry=Retry(NoBackoff(), 0),  # trying again is done here
        )
        self._client: Redis = redis_asyncio.Redis.from_pool(pool)
        self._is_checked = False
        self._under_way: set[asyncio.Timeout] = set()
        self._has_ended = asyncio.Event()
        self.is_closed = False

    async def call(
        self, send: Callable[[Redis], Awaitable[T]], patience_s: float | None = None
    ) -> T:
        """Return what `send` returns; it is called again while the server is away.

        Raises:
            ServiceUnavailableError: The server stayed away, refuses, or the link is closed.
        """
        from redis.exceptions import RedisError
        from tenacity import (
            AsyncRetrying,
            retry_if_exception,
            stop_after_delay,
            wait_random_exponential,
        )

        patience = self.patience_s if patience_s is None else patience_s
        attempts = AsyncRetrying(
            retry=retry_if_exception(self._may_pass),
            stop=stop_after_delay(patience),
            wait=wait_random_exponential(multiplier=0.05, max=min(_LONGEST_PAUSE_S, patience)),
            reraise=True,
        )
        self._refuse_if_closed()
        try:
            async with self._ended_by_closing():
                async for attempt in attempts:
                    with attempt:
                        await self._check_once()
                        return await _cancellable(send(self._client))
        except TwinkleError:
            raise
        except (RedisError, OSError) as error:
            self._refuse_if_closed()
            raise self._in_words(error) from error
        raise AssertionError("tenacity returns or raises")

    def subscription(self) -> PubSub:
        """Return a listener with a connection of its own, which whoever asked for it closes."""
        return self._client.pubsub()

    def refuse(self) -> None:
        """Take no more calls, and end those that are under way by an error."""
        if self.is_closed:
            return
        self.is_closed = True
        now = asyncio.get_running_loop().time()
        for call in self._under_way:
            call.reschedule(now)

    async def close(self) -> None:
        """Refuse, and close every connection once nobody is in the middle of making one."""
        self.refuse()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                while self._under_way:
                    self._has_ended.clear()
                    await self._has_ended.wait()
        await self._client.aclose()

    @contextlib.asynccontextmanager
    async def _ended_by_closing(self) -> AsyncIterator[None]:
        async with asyncio.timeout(None) as call:
            self._under_way.add(call)
            try:
                yield
            finally:
                self._under_way.discard(call)
                self._has_ended.set()

    def _refuse_if_closed(self) -> None:
        if self.is_closed:
            raise ServiceUnavailableError(f"The store {self.name} is closed.")

    def _may_pass(self, error: BaseException) -> bool:
        from redis import exceptions

        if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
            return False
        if isinstance(error, exceptions.ResponseError):
            # Some are classes of their own, which leave the first word out.
            known = exceptions.ReadOnlyError | exceptions.OutOfMemoryError
            return isinstance(error, known) or str(error).startswith(_PASSING)
        kinds = exceptions.ConnectionError | exceptions.TimeoutError | OSError
        return isinstance(error, kinds) and not isinstance(error, TwinkleError)

    async def _check_once(self) -> None:
        """Say once what a crash of the server's machine could lose."""
        from redis.exceptions import NoPermissionError, ResponseError

        if self._is_checked:
            return
        try:
            found = await _cancellable(self._client.config_get("append*"))
        except (NoPermissionError, ResponseError):  # a managed server does not tell
            _LOGGER.debug("%s does not say how it keeps what it is told", self.name)
            self._is_checked = True
            return
        said = {_text(name): _text(value) for name, value in found.items()}
        if (said.get("appendonly"), said.get("appendfsync")) != ("yes", "always"):
            _LOGGER.warning(
                "%s may lose what was confirmed when it ends: set `appendonly yes` and"
                " `appendfsync always` in redis.conf",
                self.name,
            )
        self._is_checked = True

    def _in_words(self, error: Exception) -> ServiceUnavailableError:
        from redis import exceptions

        if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
            what, hint = "does not take the user or the password", "Correct TWINKLE_STORE."
        elif isinstance(error, exceptions.OutOfMemoryError) or str(error).startswith("OOM"):
            what, hint = "has no memory left", "Raise its `maxmemory`; nothing confirmed is lost."
        elif isinstance(error, exceptions.ResponseError):
            what, hint = f"refuses: {error}", "Look into its log; nothing confirmed is lost."
        else:
            what, hint = "does not answer", "Start it again; nothing confirmed is lost."
        return ServiceUnavailableError(f"The store {self.name} {what}.", hint)


async def _cancellable(answer: Awaitable[T]) -> T:
    """Await what may swallow a cancellation, or call it another error: redis-py as it connects."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        return await answer
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


def shown_url(url: str) -> str:
    """Return a URL without user, password and query."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}"


def _text(value: bytes | str | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
