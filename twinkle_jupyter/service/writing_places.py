"""How many answers are written at once, and whose: nobody may have more places than are left.

So one who asks for everything gets half of them, and whoever comes next finds some free. Those who
wait take turns. It is the dynamic threshold of Choudhury and Hahne (IEEE/ACM Transactions on
Networking 6(2), 1998), with a factor of one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.fair_queue import FairQueue

#: Of one process; a sampler takes 512, of which some are left to those who chat in a notebook.
_NUM_PLACES = 480
#: Answers of one request at most.
_MAX_ANSWERS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class _Wait:
    user: str
    turn: asyncio.Future[None]


class WritingPlaces:
    """Of all protocols of one process.

    Args:
        count: There are so many.
    """

    def __init__(self, count: int = _NUM_PLACES) -> None:
        self.num_free = count
        self._taken: Counter[str] = Counter()
        self._waiting: FairQueue[_Wait] = FairQueue()

    @asynccontextmanager
    async def one(self, user: str) -> AsyncIterator[None]:
        """Wait for a place of this user's, and have it."""
        wait = _Wait(user, asyncio.get_running_loop().create_future())
        self._waiting.push(user, wait)
        self._give()
        try:
            await wait.turn
        except BaseException:
            if wait.turn.done() and not wait.turn.cancelled():
                self._put_back(user)  # it came and was not wanted any more
            else:
                self._waiting.remove(user, wait)
                self._give()  # the user's next one may have waited for it
            raise
        try:
            yield
        finally:
            self._put_back(user)

    def _put_back(self, user: str) -> None:
        self.num_free += 1
        self._taken[user] -= 1
        if not self._taken[user]:
            del self._taken[user]
        self._give()

    def _give(self) -> None:
        while (wait := self._next()) is not None:
            self._waiting.take(wait.user)
            self.num_free -= 1
            self._taken[wait.user] += 1
            wait.turn.set_result(None)

    def _next(self) -> _Wait | None:
        for wait in self._waiting.firsts():
            # One that is cancelled leaves by itself in a moment.
            if not wait.turn.done() and self._taken[wait.user] < self.num_free:
                return wait
        return None


def check_count(num_inputs: int, num_each: int) -> None:
    """See that one request does not ask for too many answers.

    Raises:
        InvalidConfigError: It does.
    """
    if num_inputs * num_each > _MAX_ANSWERS:
        raise InvalidConfigError(
            f"{num_inputs} prompts with {num_each} answers each are more than the {_MAX_ANSWERS}"
            " answers that one request may ask for.",
            "Send several requests.",
        )
