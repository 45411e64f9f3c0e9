"""Which op runs next: events in, instructions out; no clock, no I/O, no thread.

One plan is under way at a time. A plan takes ready ops of one kind, at most one an adapter. Who
shares how is in `fair_share`, which kind is next in `ready_ops`, the order of one adapter's ops in
`op_queue`. Whoever has a clock may let a plan wait for more ops: see `company`.
"""

from __future__ import annotations

from collections.abc import Iterable

from twinkle_jupyter.errors import NotFoundError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.events import (
    AdapterAdded,
    AdapterRemoved,
    Answer,
    Event,
    Instruction,
    OpArrived,
    OpCancelled,
    OutcomeWanted,
    Plan,
    PlanDone,
)
from twinkle_jupyter.scheduling.op_part import PartDone
from twinkle_jupyter.scheduling.op_queue import OpQueue
from twinkle_jupyter.scheduling.queue_load import QueueLoad
from twinkle_jupyter.scheduling.ready_ops import ReadyOps, count_tokens
from twinkle_jupyter.scheduling.request import ForwardBackward


class Scheduler:
    """The state between two events.

    Args:
        token_budget: Tokens of one micro-batch at most; one larger op is planned alone.
        overhead_tokens: Tokens that take as long to compute as a micro-batch's fixed part.
        max_queued: How far ahead of its next op an adapter may send.
        max_answers: Outcomes kept for each adapter, for who asks again.
    """

    def __init__(
        self,
        token_budget: int = 8192,
        *,
        overhead_tokens: int = 64,
        max_queued: int = 256,
        max_answers: int = 32,
    ) -> None:
        self._max_queued = max_queued
        self._max_answers = max_answers
        self._queues: dict[AdapterId, OpQueue] = {}
        self._ready = ReadyOps(token_budget, overhead_tokens)
        #: What each ticket that is not answered yet waits for: a queue's op, by sequence id.
        self._tickets: dict[int, tuple[OpQueue, int]] = {}
        #: Of the plan under way. A removed adapter's queue stays here until its outcome comes.
        self._running: tuple[OpQueue, ...] = ()

    def handle(self, event: Event, *, plans: bool = True) -> list[Instruction]:
        """Take in what happened; return what is to be done, a new plan last if `plans`."""
        instructions: list[Instruction] = []
        match event:
            case AdapterAdded():
                self._add(event)
            case AdapterRemoved(adapter_id, reason):
                instructions += self._remove(adapter_id, reason)
            case OpArrived():
                instructions += self._arrive(event)
            case OutcomeWanted():
                instructions += self._join(event)
            case OpCancelled(ticket):
                self._cancel(ticket)
            case PlanDone():
                instructions += self._finish(event)
        plan = self.plan() if plans else None
        return instructions if plan is None else [*instructions, plan]

    def plan(self) -> Plan | None:
        """Return what is to run now; None while a plan is under way or nothing is ready."""
        plan = None if self._running else self._ready.take_plan()
        if plan is not None:
            self._start(plan)
        return plan

    @property
    def has_room_for_company(self) -> bool:
        """Whether the next plan could begin now, and could be larger if more ops came."""
        return not self._running and self._ready.has_room_for_company

    @property
    def has_begun_ops(self) -> bool:
        """Whether an op that no plan under way has is partly done."""
        return self._ready.has_begun_ops

    def next_id(self, adapter_id: AdapterId) -> int | None:
        """Return the sequence id of the adapter's next op; None where there is no such adapter."""
        queue = self._queues.get(adapter_id)
        return None if queue is None else queue.next_id

    def free_id(self, adapter_id: AdapterId) -> int | None:
        """Return the first sequence id that no op was sent under; None without such an adapter."""
        queue = self._queues.get(adapter_id)
        return None if queue is None else queue.free_id

    def has_answered(self, adapter_id: AdapterId, sequence_id: int) -> bool:
        """Whether the op's outcome is known and kept."""
        queue = self._queues.get(adapter_id)
        return queue is not None and queue.has_answered(sequence_id)

    def is_awaited(self, adapter_id: AdapterId, sequence_id: int) -> bool:
        """Whether somebody waits for an op that is not answered yet."""
        queue = self._queues.get(adapter_id)
        return queue is not None and queue.is_awaited(sequence_id)

    def as_added(self, adapter_id: AdapterId) -> AdapterAdded:
        """Return what the adapter's ops go on from in another life; there must be one."""
        return self._queues[adapter_id].as_added()

    def is_settled(self, adapter_id: AdapterId) -> bool:
        """Whether none of the adapter's ops is under way or could be."""
        queue = self._queues.get(adapter_id)
        return queue is None or queue.is_settled

    def user_of(self, adapter_id: AdapterId) -> str:
        """Return whose adapter it is; empty for one that was removed."""
        queue = self._queues.get(adapter_id)
        return "" if queue is None else queue.user

    def loads(self) -> list[QueueLoad]:
        """Return what every adapter has that is not answered yet."""
        found = []
        for queue in self._queues.values():
            ops = queue.unanswered
            passes = [op for op in ops if isinstance(op, ForwardBackward)]
            num_tokens = sum(count_tokens(op) for op in passes)
            found.append(QueueLoad(queue.adapter_id, queue.user, len(ops), num_tokens))
        return found

    def _add(self, event: AdapterAdded) -> None:
        if event.adapter_id not in self._queues:
            self._queues[event.adapter_id] = OpQueue(event, self._max_queued, self._max_answers)

    def _remove(self, adapter_id: AdapterId, reason: TwinkleError) -> list[Answer]:
        queue = self._queues.pop(adapter_id, None)
        if queue is None:
            return []
        self._ready.discard(adapter_id)
        return self._answered(queue.fail_all(reason))

    def _arrive(self, event: OpArrived) -> list[Answer]:
        queue = self._queues.get(event.op.adapter_id)
        if queue is None:
            return [_nowhere(event.ticket, event.op.adapter_id)]
        was_ready = queue.ready is not None
        answer = queue.arrive(event.ticket, event.op)
        if answer is not None:
            return [answer]
        self._tickets[event.ticket] = (queue, event.op.sequence_id)
        if not was_ready:
            self._offer(queue)
        return []

    def _join(self, event: OutcomeWanted) -> list[Answer]:
        queue = self._queues.get(event.adapter_id)
        if queue is None:
            return [_nowhere(event.ticket, event.adapter_id)]
        answer = queue.join(event.ticket, event.sequence_id)
        if answer is not None:
            return [answer]
        self._tickets[event.ticket] = (queue, event.sequence_id)
        return []

    def _cancel(self, ticket: int) -> None:
        queue, sequence_id = self._tickets.pop(ticket, (None, 0))
        if queue is not None and queue.abandon(ticket, sequence_id):
            self._ready.discard(queue.adapter_id)
            self._offer(queue)

    def _finish(self, event: PlanDone) -> list[Answer]:
        assert self._running, "a plan ends only once"  # noqa: S101
        finished, self._running = self._running, ()
        answers: list[Answer] = []
        for queue, outcome in zip(finished, event.outcomes, strict=True):
            # Another queue under the same name is a later adapter's: it must not hear of this.
            if self._queues.get(queue.adapter_id) is not queue:
                continue
            if isinstance(outcome, PartDone):
                queue.pause(outcome.num_rows)
            else:
                answers.append(queue.finish(outcome))
            self._offer(queue)
        return self._answered(answers)

    def _start(self, plan: Plan) -> None:
        self._running = tuple(self._queues[op.adapter_id] for op in plan.ops)
        for queue in self._running:
            queue.start()

    def _offer(self, queue: OpQueue) -> None:
        """Whatever is the queue's turn now can be planned."""
        if queue.ready is not None:
            self._ready.add(queue.ready, queue.user, queue.priority, queue.num_rows_done)

    def _answered(self, answers: Iterable[Answer]) -> list[Answer]:
        """Forget the tickets, and leave out what nobody waits for any more."""
        told = [answer for answer in answers if answer.tickets]
        for answer in told:
            for ticket in answer.tickets:
                del self._tickets[ticket]
        return told


def _nowhere(ticket: int, adapter_id: AdapterId) -> Answer:
    return Answer((ticket,), NotFoundError(f"Adapter {adapter_id!r} is not on this trainer."))
