"""Which samples of a sampling session are done, in the order in which they came to be.

One long poll of a client waits here for all its samples, where it would else wait for each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

#: Kept of a client that does not ask.
_MAX_KEPT = 8192


@dataclass(frozen=True, slots=True)
class Completion:
    """One sample that is done."""

    cursor: int
    request_id: str
    has_failed: bool


#: Whose, of which sampling session, and of which of its clients' copies.
Queue = tuple[str, str, int]


@dataclass(slots=True)
class _Done:
    kept: deque[Completion] = field(default_factory=lambda: deque(maxlen=_MAX_KEPT))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    num_waiting: int = 0


class Completions:
    """Of one process. Cursors begin where no earlier process of this clock can have been."""

    def __init__(self) -> None:
        self._queues: dict[Queue, _Done] = {}
        self._cursors = count(int(datetime.now(tz=UTC).timestamp() * 1_000_000))

    def add(self, queue: Queue, request_id: str, *, has_failed: bool) -> None:
        """A sample is done."""
        done = self._queues.setdefault(queue, _Done())
        done.kept.append(Completion(next(self._cursors), request_id, has_failed))
        done.news.set()

    async def wait(self, queue: Queue, after: int, timeout_s: float) -> list[Completion]:
        """Return what was done after a cursor, once there is some or the time is over.

        What was done up to the cursor is forgotten.
        """
        done = self._queues.setdefault(queue, _Done())
        while done.kept and done.kept[0].cursor <= after:
            done.kept.popleft()
        done.num_waiting += 1
        try:
            if not done.kept and timeout_s > 0:
                done.news.clear()
                async with asyncio.timeout(timeout_s):
                    await done.news.wait()
        except TimeoutError:
            return []
        finally:
            done.num_waiting -= 1
            if not done.kept and not done.num_waiting:
                self._queues.pop(queue, None)
        return list(done.kept)

    def forget(self, request_id: str, queue: Queue) -> None:
        """Nobody will ask after this sample any more."""
        done = self._queues.get(queue)
        if done is None:
            return
        for completion in [one for one in done.kept if one.request_id == request_id]:
            done.kept.remove(completion)
        if not done.kept and not done.num_waiting:
            del self._queues[queue]
