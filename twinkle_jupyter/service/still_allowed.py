"""A long answer, such as a stream of events, ends when its asker is no longer let in."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.types import Message, Send

from twinkle_jupyter.errors import ForbiddenError, NotAllowedError, ServiceUnavailableError

#: Seconds of an answer after which its asker is looked at again; what was found may count as long
#: again.
EVERY_S = 15.0


class NoLongerAllowedError(OSError):
    """Ends an answer as a client does that has left."""


class StillAllowed:
    """Sends what is sent, for as long as the asker is let in.

    Args:
        send: Where the answer goes.
        check: Raises as the gate does for one who is not let in.
        every_s: Seconds between two looks.
    """

    def __init__(self, send: Send, check: Callable[[], Awaitable[object]], every_s: float) -> None:
        self._send = send
        self._check = check
        self._every_s = every_s
        self._next = time.monotonic() + every_s
        self.has_ended = False

    async def __call__(self, message: Message) -> None:
        """Send on; an answer that goes on is looked at now and then."""
        goes_on = message["type"] == "http.response.body" and message.get("more_body", False)
        if goes_on and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            try:
                await self._check()
            except (NotAllowedError, ForbiddenError) as error:
                self.has_ended = True
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                raise NoLongerAllowedError from error
            except ServiceUnavailableError:
                pass  # nobody can say now; the next look may
        await self._send(message)
