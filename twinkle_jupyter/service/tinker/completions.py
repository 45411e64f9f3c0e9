"""Which samples of a sampling session are done, in the order in which they came to be.

One long poll of a client waits here for all its samples, where it would else wait for each.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from twinkle_jupyter.service.tinker.future_names import FutureName

#: A copy of a client's sampler numbers its requests from a multiple of this on.
IDS_OF_A_COPY = 1_000_000_000
#: Kept of a client that does not ask, and for how long.
_MAX_KEPT, _KEPT_S = 8192, 600.0


@dataclass(frozen=True, slots=True)
class Completion:
    """One sample that is done."""

    cursor: int
    request_id: str
    has_failed: bool


#: Whose, of which sampling session, and of which of its client's copies.
Queue = tuple[str, str, int]


@dataclass(slots=True)
class _Done:
    kept: deque[Completion] = field(default_factory=lambda: deque(maxlen=_MAX_KEPT))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    num_waiting: int = 0
    noted_at: float = 0.0


class Completions:
    """Of one process. Cursors begin where no earlier process of this clock can have been."""

    def __init__(self) -> None:
        #: Those that were noted longest ago first.
        self._queues: dict[Queue, _Done] = {}
        self._cursors = count(int(datetime.now(tz=UTC).timestamp() * 1_000_000))

    def note(self, owner: str, request_id: str, *, has_failed: bool) -> None:
        """A sample is done."""
        self._forget_old()
        name = FutureName.parse(request_id)
        queue = (owner, name.target, name.sequence_id // IDS_OF_A_COPY)
        done = self._queues.pop(queue, _Done())
        self._queues[queue] = done
        done.noted_at = time.monotonic()
        done.kept.append(Completion(next(self._cursors), request_id, has_failed))
        done.news.set()

    async def wait(self, queue: Queue, after: int, timeout_s: float) -> list[Completion]:
        """Return what was done after a cursor, once there is some or the time is over.

        What was done up to the cursor is forgotten.
        """
        self._forget_old()
        done = self._queues.setdefault(queue, _Done(noted_at=time.monotonic()))
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
        return list(done.kept)

    def _forget_old(self) -> None:
        before = time.monotonic() - _KEPT_S
        for queue, done in list(self._queues.items()):
            if done.noted_at > before:
                break
            if not done.num_waiting:
                del self._queues[queue]
