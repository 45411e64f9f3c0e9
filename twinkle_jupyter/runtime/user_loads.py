"""What each user has of a trainer: adapters, slots, ops that wait, tokens that were trained on."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinkle_jupyter.runtime.handles import ComputeStatus, UserLoad
from twinkle_jupyter.scheduling.events import PlanOutcome
from twinkle_jupyter.scheduling.queue_load import QueueLoad
from twinkle_jupyter.scheduling.request import ForwardBackwardResult

if TYPE_CHECKING:
    from twinkle_jupyter.engine.step import StepEngine

_MINUTE_S = 60


@dataclass(slots=True)
class _Second:
    second: int
    tokens: Counter[str]


class ServedTokens:
    """Tokens of passes that were answered, by user: all since the start, and the last minute's.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: deque[_Second] = deque()
        self.total: Counter[str] = Counter()

    def note(self, users: Sequence[str], outcomes: Sequence[PlanOutcome]) -> None:
        """Count the passes among these outcomes, each for its user."""
        now = int(self._clock())
        for user, outcome in zip(users, outcomes, strict=True):
            if isinstance(outcome, ForwardBackwardResult):
                if not self._seconds or self._seconds[-1].second != now:
                    self._seconds.append(_Second(now, Counter()))
                self._seconds[-1].tokens[user] += outcome.num_tokens
                self.total[user] += outcome.num_tokens
        self._forget_old(now)

    def last_minute(self) -> Counter[str]:
        """Return the last minute's, by user."""
        self._forget_old(int(self._clock()))
        minute: Counter[str] = Counter()
        for one in self._seconds:
            minute.update(one.tokens)
        return minute

    def _forget_old(self, now: int) -> None:
        while self._seconds and self._seconds[0].second <= now - _MINUTE_S:
            self._seconds.popleft()


def trainer_status(
    base_model: str, engine: StepEngine, queues: Iterable[QueueLoad], served: ServedTokens
) -> ComputeStatus:
    """Return what a trainer says of itself; may be asked for on any thread."""
    active = engine.adapters.active
    return ComputeStatus(
        base_model,
        is_ready=True,
        num_adapters=len(engine.adapters),
        memory_bytes=engine.size_bytes,
        num_slots=engine.adapters.num_slots,
        num_active=len(active),
        users=user_loads(queues, active, served),
        places=engine.adapters.places(),
    )


def user_loads(
    queues: Iterable[QueueLoad], active: Iterable[str], served: ServedTokens
) -> tuple[UserLoad, ...]:
    """Return everybody's, by name: of those who have an adapter here, or had one."""
    in_slots, minute = set(active), served.last_minute()
    loads = {user: UserLoad(user) for user in served.total}
    for queue in queues:
        load = loads.get(queue.user, UserLoad(queue.user))
        loads[queue.user] = UserLoad(
            queue.user,
            load.num_adapters + 1,
            load.num_active + (queue.adapter_id in in_slots),
            load.queued_ops + queue.num_ops,
            load.queued_tokens + queue.num_tokens,
        )
    return tuple(
        load.with_tokens(minute[user], served.total[user]) for user, load in sorted(loads.items())
    )
