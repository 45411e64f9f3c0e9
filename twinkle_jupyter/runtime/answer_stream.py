"""One answer on its way from the sampler's thread to who reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinkle_jupyter.errors import TwinkleError
    from twinkle_jupyter.sampler.interface import SampleDelta

#: Tokens that may lie unread; then the answer is held back until somebody reads.
_MAX_UNREAD = 32


class AnswerStream:
    """A bounded queue of one answer's tokens.

    Args:
        number: The sampler's, of the answer.
        on_room: Called when somebody has read from a full queue.
    """

    def __init__(self, number: int, on_room: Callable[[], None]) -> None:
        self.number = number
        self._on_room = on_room
        self._unread: asyncio.Queue[SampleDelta | TwinkleError | None] = asyncio.Queue()

    @property
    def is_full(self) -> bool:
        """Whether the reader has enough for now."""
        return self._unread.qsize() >= _MAX_UNREAD

    def put(self, thing: SampleDelta | TwinkleError | None) -> None:
        """Tell what came new; an error, or None, ends the stream."""
        self._unread.put_nowait(thing)

    async def next(self) -> SampleDelta | None:
        """Wait for what comes next; None when the answer was ended from outside.

        Raises:
            TwinkleError: What the answer failed with.
        """
        was_full = self.is_full
        thing = await self._unread.get()
        if was_full:
            self._on_room()
        if isinstance(thing, Exception):
            raise thing
        return thing
