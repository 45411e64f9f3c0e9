"""An answer that is told as a whole ends with its client, as one that is streamed does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from fastapi import HTTPException, Request

from twinkle_jupyter.service.sse import wait_until_left

T = TypeVar("T")

#: What others log where nobody is left to read a status.
_CLIENT_LEFT = 499


async def unless_left(request: Request, answer: Coroutine[None, None, T]) -> T:
    """Return the answer; cancel it the moment its client is gone.

    Args:
        request: Its body was read.
        answer: What takes long.

    Raises:
        HTTPException: The client left.
    """
    writing = asyncio.create_task(answer, name=f"answer {request.url.path}")
    leaving = asyncio.create_task(wait_until_left(request.receive), name=f"left {request.url.path}")
    try:
        await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if writing.done():
            return writing.result()
        raise HTTPException(_CLIENT_LEFT, "The client left.")
    finally:
        for task in (writing, leaving):
            task.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)
