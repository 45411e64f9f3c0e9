"""Who waits for which op: a ticket for each caller, and when the op first came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from twinkle_jupyter.errors import ServiceUnavailableError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.events import Answer, PlanOutcome
from twinkle_jupyter.scheduling.request import ForwardBackwardResult, Op, OpResult


@dataclass(slots=True, eq=False)
class Ticket:
    """One caller who waits for one op."""

    number: int
    adapter_id: AdapterId
    sequence_id: int
    future: asyncio.Future[OpResult]


@dataclass(slots=True)
class _Arrival:
    at: float
    num_waiting: int = 0


class OpTickets:
    """All callers of one trainer."""

    def __init__(self) -> None:
        self._last_number = 0
        self._waiting: dict[int, Ticket] = {}
        self._arrivals: dict[tuple[AdapterId, int], _Arrival] = {}

    def next_number(self) -> int:
        """Return a number that no ticket has; nobody waits under it."""
        self._last_number += 1
        return self._last_number

    @contextmanager
    def wait(self, adapter_id: AdapterId, sequence_id: int) -> Iterator[Ticket]:
        """Wait for an op's answer within the block."""
        future: asyncio.Future[OpResult] = asyncio.get_running_loop().create_future()
        ticket = Ticket(self.next_number(), adapter_id, sequence_id, future)
        key = (adapter_id, sequence_id)
        arrival = self._arrivals.setdefault(key, _Arrival(time.monotonic()))
        arrival.num_waiting += 1
        self._waiting[ticket.number] = ticket
        try:
            yield ticket
        finally:
            del self._waiting[ticket.number]
            arrival.num_waiting -= 1
            if not arrival.num_waiting:
                del self._arrivals[key]

    def answer(self, answer: Answer) -> None:
        """Tell everybody who waits under one of the answer's tickets."""
        for number in answer.tickets:
            ticket = self._waiting.get(number)
            if ticket is None or ticket.future.done():
                continue  # whoever waited has gone
            if isinstance(answer.outcome, TwinkleError):
                # A new one for each: raising the same twice would chain their tracebacks.
                ticket.future.set_exception(type(answer.outcome)(*answer.outcome.args))
            else:
                ticket.future.set_result(answer.outcome)

    def fail_all(self, reason: ServiceUnavailableError) -> None:
        """Tell everybody that there will be no answer."""
        for ticket in self._waiting.values():
            if not ticket.future.done():
                ticket.future.set_exception(reason)

    def with_queue_seconds(
        self, ops: Sequence[Op], outcomes: Sequence[PlanOutcome], ended_at: float
    ) -> tuple[PlanOutcome, ...]:
        """Add how long each op waited and was not computed, where somebody waits for it."""
        pairs = zip(ops, outcomes, strict=True)
        return tuple(self._with_queue_seconds(*pair, ended_at) for pair in pairs)

    def _with_queue_seconds(self, op: Op, outcome: PlanOutcome, ended_at: float) -> PlanOutcome:
        arrival = self._arrivals.get((op.adapter_id, op.sequence_id))
        if arrival is None or not isinstance(outcome, ForwardBackwardResult):
            return outcome
        # Whoever only asks for the outcome may come after the beginning.
        waited = ended_at - arrival.at - outcome.seconds
        return replace(outcome, queue_seconds=max(0.0, waited))
