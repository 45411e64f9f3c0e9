"""A sample that this process writes, and how many of them there may be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from twinkle_jupyter.errors import QuotaExceededError
from twinkle_jupyter.service.tinker.sample_news import SampleKey

#: Requests that are not done, of one user and of all; one more is refused, and comes again by
#: itself. No single user has all places.
_MAX_OF_OWNER, _MAX_WAITING = 512, 4096
#: The same of their answers.
_MAX_ANSWERS_OF_OWNER, _MAX_ANSWERS = 16_384, 65_536


@dataclass(slots=True)
class OwnSample:
    """One of them."""

    num_answers: int
    task: asyncio.Task[None] | None = None
    has_begun: bool = False
    is_cancelled: bool = False
    #: What came of it is known and only has to be kept.
    is_over: bool = False

    def begin(self) -> None:
        """Its task runs; raises CancelledError where it was cancelled before."""
        self.has_begun = True
        if self.is_cancelled:
            raise asyncio.CancelledError

    def cancel(self) -> None:
        """End it, unless it is over."""
        if self.is_over:
            return
        self.is_cancelled = True
        # A task that is cancelled before its first step would never clean up.
        if self.task is not None and self.has_begun:
            self.task.cancel()


def need_room(writing: Mapping[SampleKey, OwnSample], owner: str, num_answers: int) -> None:
    """See that one more sample may be taken in.

    Raises:
        QuotaExceededError: There are as many as the service takes, or as this user may have.
    """
    own = [one.num_answers for (whose, _), one in writing.items() if whose == owner]
    in_all = sum(one.num_answers for one in writing.values())
    if (
        len(own) >= _MAX_OF_OWNER
        or len(writing) >= _MAX_WAITING
        or sum(own) + num_answers > _MAX_ANSWERS_OF_OWNER
        or in_all + num_answers > _MAX_ANSWERS
    ):
        raise QuotaExceededError(
            f"{len(own)} of your samples are being written, with {sum(own)} answers.", "Try again."
        )
