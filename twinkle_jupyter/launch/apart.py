"""Calls that may hang, on threads that nobody has to wait for.

Ray's own calls block for a minute when its head is gone. On asyncio's threads, of which there are
few, that would hold up everything else, and the end of the process.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import TypeVar

from twinkle_jupyter.errors import STARTING, ServiceUnavailableError

R = TypeVar("R")

#: Calls under way or hanging; more are not begun.
_MAX_CALLS = 16


class CallsApart:
    """Calls to one thing that may hang.

    Args:
        what: Its name, for the error.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._places = threading.BoundedSemaphore(_MAX_CALLS)

    async def call(self, work: Callable[[], R], timeout_s: float) -> R:
        """Return what `work` does on a thread of its own.

        Raises:
            ServiceUnavailableError: It has not come back in time, or as many others have not.
        """
        unavailable = ServiceUnavailableError(
            f"{self._what} does not answer yet.", "Try again soon.", STARTING
        )
        if not self._places.acquire(blocking=False):
            raise unavailable
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()

        def run() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - the caller's to handle
                _tell(loop, functools.partial(_fail, future, error))
            else:
                _tell(loop, functools.partial(_succeed, future, result))
            finally:
                self._places.release()

        threading.Thread(target=run, daemon=True, name="twinkle-apart").start()
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise unavailable from None


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)


def _succeed(future: asyncio.Future[R], result: R) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[R], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
