"""Tells those who wait for a log that something was appended, whoever did it.

Every append says its log's name on one channel; one connection of this process hears it. What is
said while that connection is away is made up for by looking: nobody waits longer than a second
without looking.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict

from twinkle_jupyter.store.redis_link import RedisLink

_LOGGER = logging.getLogger(__name__)

_LISTEN_S = 1.0
_PAUSE_S = 0.2


class RedisNews:
    """Who waits for which log.

    Args:
        link: To the server.
        channel: Where appends are told.
    """

    def __init__(self, link: RedisLink, channel: str) -> None:
        self._link = link
        self._channel = channel
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listening: asyncio.Task[None] | None = None

    def expect(self, log: str) -> asyncio.Event:
        """Return an event that is set at the log's next append; give it back with `forget`."""
        event = asyncio.Event()
        self._waiting[log].add(event)
        if self._listening is None and not self._link.is_closed:
            self._listening = asyncio.get_running_loop().create_task(self._listen())
        return event

    def forget(self, log: str, event: asyncio.Event) -> None:
        """Nobody waits for this event any more."""
        self._waiting[log].discard(event)
        if not self._waiting[log]:
            del self._waiting[log]

    async def close(self) -> None:
        """End everybody's waiting."""
        for events in self._waiting.values():
            for event in events:
                event.set()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        from redis.exceptions import RedisError

        # redis-py may swallow a cancellation as it connects.
        while not self._link.is_closed:
            subscription = self._link.subscription()
            try:
                await subscription.subscribe(self._channel)
                while not self._link.is_closed:
                    message = await subscription.get_message(
                        ignore_subscribe_messages=True, timeout=_LISTEN_S
                    )
                    if message is not None:
                        self._wake(bytes(message["data"]).decode())
            except (RedisError, OSError) as error:
                _LOGGER.debug("not hearing of appends: %s", type(error).__name__)
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await subscription.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(_PAUSE_S)

    def _wake(self, log: str) -> None:
        for event in self._waiting.get(log, ()):
            event.set()
