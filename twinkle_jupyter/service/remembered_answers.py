"""Answers that count for a while: asked for once, however many wait, and bounded in number."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from twinkle_jupyter.errors import ServiceUnavailableError

T = TypeVar("T")
_A = TypeVar("_A")

#: Answers that are kept: of what there is, and of what there is not, apart, so that guesses of
#: strangers do not push out what is known.
MAX_KNOWN = 4096
MAX_UNKNOWN = 1024
#: Questions that are under way at once.
MAX_ASKED = 64


class RememberedAnswers(Generic[T]):
    """Remembers by key; what raises is not remembered.

    Args:
        known_s: How long an answer counts, from the moment it was asked for.
        unknown_s: The same of the answer that there is nothing.
        clock: Seconds that only grow.
    """

    def __init__(
        self, known_s: float, unknown_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._known_s = known_s
        self._unknown_s = unknown_s
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._asked: dict[str, asyncio.Task[T | None]] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[T | None]]) -> T | None:
        """Return what is remembered, or else ask; `ask` ends by itself within seconds.

        Raises:
            ServiceUnavailableError: Too many questions are under way; and what `ask` raises.
        """
        now = self._clock()
        if key in self._known and now < self._known[key][0]:
            return self._known[key][1]
        if now < self._unknown.get(key, now):
            return None
        if key not in self._asked:
            if len(self._asked) >= MAX_ASKED:
                raise ServiceUnavailableError(
                    "Too many who are not known yet ask at once.", "Try again in a moment."
                )
            task = asyncio.create_task(self._find(key, ask, now), name="whose token")
            self._asked[key] = task
        # Whoever leaves before the answer takes it from nobody else who waits for it.
        return await asyncio.shield(self._asked[key])

    async def _find(
        self, key: str, ask: Callable[[], Awaitable[T | None]], asked_at: float
    ) -> T | None:
        try:
            found = await ask()
        finally:
            del self._asked[key]
        self._known.pop(key, None)
        self._unknown.pop(key, None)
        if found is None:
            self._unknown[key] = asked_at + self._unknown_s
            _keep_newest(self._unknown, MAX_UNKNOWN)
        else:
            self._known[key] = (asked_at + self._known_s, found)
            _keep_newest(self._known, MAX_KNOWN)
        return found


def _keep_newest(answers: OrderedDict[str, _A], number: int) -> None:
    while len(answers) > number:
        answers.popitem(last=False)
