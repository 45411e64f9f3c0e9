"""Calls to compute that may be away for a moment: being loaded, or coming back after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from twinkle_jupyter.errors import ServiceUnavailableError

R = TypeVar("R")

_PAUSE_S = 0.25


async def patiently(call: Callable[[], Awaitable[R]], wait_s: float) -> R:
    """Call until what it needs is there; `call` must be one that may be repeated.

    Raises:
        ServiceUnavailableError: It was not there in time; says what was missing last.
    """
    why = ServiceUnavailableError(f"There was no answer within {wait_s:.0f} s.", "Try again.")
    try:
        async with asyncio.timeout(wait_s):
            while True:
                try:
                    return await call()
                except ServiceUnavailableError as error:
                    why = error
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        raise why from None
