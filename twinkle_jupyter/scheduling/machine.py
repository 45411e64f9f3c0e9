"""Which ops run next: events in, instructions out; no clock, no I/O, no thread.

One plan is under way at a time. A plan takes ready ops of one kind, at most one an adapter, from as
many adapters as the token budget holds. Optimizer steps and saves go before micro-batches, since
they free the adapter for the next one, but never twice in a row while a micro-batch waits.
"""

from __future__ import annotations

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.events import (
    AdapterAdded,
    AdapterRemoved,
    Answer,
    Event,
    Instruction,
    OpArrived,
    Plan,
    PlanDone,
    RunMicroBatch,
    RunOptimSteps,
    RunSaves,
)
from twinkle_jupyter.scheduling.op_queue import OpQueue
from twinkle_jupyter.scheduling.request import ForwardBackward, OptimStep, SaveCheckpoint


class Scheduler:
    """The state between two events.

    Args:
        token_budget: Tokens of one micro-batch at most; one larger op is planned alone.
        max_queued: How far ahead of its next op an adapter may send.
        max_answers: Outcomes kept for each adapter, for who asks again.
    """

    def __init__(
        self, token_budget: int = 8192, max_queued: int = 256, max_answers: int = 32
    ) -> None:
        self._token_budget = token_budget
        self._max_queued = max_queued
        self._max_answers = max_answers
        #: In the order of turns: who was served goes to the end.
        self._queues: dict[AdapterId, OpQueue] = {}
        #: Of the plan under way. A removed adapter's queue stays here until its outcome comes.
        self._running: tuple[OpQueue, ...] = ()
        self._is_micro_batch_due = False

    def handle(self, event: Event) -> list[Instruction]:
        """Take in what happened; return what is to be done, a new plan last."""
        instructions: list[Instruction] = []
        match event:
            case AdapterAdded(adapter_id):
                if adapter_id not in self._queues:
                    queue = OpQueue(adapter_id, self._max_queued, self._max_answers)
                    self._queues[adapter_id] = queue
            case AdapterRemoved(adapter_id, reason):
                queue_or_none = self._queues.pop(adapter_id, None)
                if queue_or_none is not None:
                    instructions += queue_or_none.fail_all(reason)
            case OpArrived():
                instructions += self._arrive(event)
            case PlanDone():
                instructions += self._finish(event)
        plan = self._plan_next()
        return instructions if plan is None else [*instructions, plan]

    def _arrive(self, event: OpArrived) -> list[Answer]:
        queue = self._queues.get(event.op.adapter_id)
        if queue is None:
            error = NotFoundError(f"Adapter {event.op.adapter_id!r} is not on this trainer.")
            return [Answer((event.ticket,), error)]
        answer = queue.arrive(event.ticket, event.op)
        return [] if answer is None else [answer]

    def _finish(self, event: PlanDone) -> list[Answer]:
        assert self._running, "a plan ends only once"  # noqa: S101
        finished, self._running = self._running, ()
        return [
            queue.finish(outcome)
            for queue, outcome in zip(finished, event.outcomes, strict=True)
            # Another queue under the same name is a later adapter's: it must not hear of this.
            if self._queues.get(queue.adapter_id) is queue
        ]

    def _plan_next(self) -> Plan | None:
        if self._running:
            return None
        micro_batch: list[ForwardBackward] = []
        optim_steps: list[OptimStep] = []
        saves: list[SaveCheckpoint] = []
        for queue in self._queues.values():
            match queue.ready:
                case ForwardBackward() as op:
                    micro_batch.append(op)
                case OptimStep() as op:
                    optim_steps.append(op)
                case SaveCheckpoint() as op:
                    saves.append(op)
                case None:
                    pass
        if micro_batch and (self._is_micro_batch_due or not (optim_steps or saves)):
            self._is_micro_batch_due = False
            fitting = self._within_budget(micro_batch)
            self._start([op.adapter_id for op in fitting])
            return RunMicroBatch(fitting)
        if optim_steps:
            self._is_micro_batch_due = True
            self._start([op.adapter_id for op in optim_steps])
            return RunOptimSteps(tuple(optim_steps))
        if saves:
            self._is_micro_batch_due = True
            self._start([op.adapter_id for op in saves])
            return RunSaves(tuple(saves))
        return None

    def _within_budget(self, ops: list[ForwardBackward]) -> tuple[ForwardBackward, ...]:
        """Take ops in the order of turns while they fit; the first always does."""
        fitting = ops[:1]
        left = self._token_budget - count_tokens(ops[0])
        for op in ops[1:]:
            num_tokens = count_tokens(op)
            # Whoever does not fit is first in turn next time, so that small ops do not starve it.
            if num_tokens > left:
                break
            fitting.append(op)
            left -= num_tokens
        return tuple(fitting)

    def _start(self, adapter_ids: list[AdapterId]) -> None:
        queues = [self._queues.pop(adapter_id) for adapter_id in adapter_ids]
        for queue in queues:
            queue.start()
            self._queues[queue.adapter_id] = queue
        self._running = tuple(queues)


def count_tokens(op: ForwardBackward) -> int:
    """Count the positions that the op sends through the base model."""
    return sum(example.num_tokens for example in op.examples)
