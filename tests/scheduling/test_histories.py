"""The whole scheduler by random histories, against a few lines that say what it must do.

Ops come in any order, twice, too early; users join; adapters go and come back; callers leave; plans
fail. After every event: order, exactly once, conservation, budget, no idling, no starvation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.scheduling.conftest import forward_backward, optim_step, save
from tests.scheduling.test_fair_share import starvation_bound
from twinkle_jupyter.errors import (
    ConflictError,
    NotFoundError,
    QuotaExceededError,
    RunFailedError,
    TwinkleError,
)
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.events import (
    AdapterAdded,
    AdapterRemoved,
    Answer,
    Event,
    OpArrived,
    OpCancelled,
    Outcome,
    Plan,
    PlanDone,
    RunMicroBatch,
)
from twinkle_jupyter.scheduling.machine import Scheduler
from twinkle_jupyter.scheduling.op_part import PartDone
from twinkle_jupyter.scheduling.request import ForwardBackward, Op, OptimStepResult, Priority

ADAPTERS = tuple(AdapterId(name) for name in ("ann-1", "ann-2", "bob-1", "cyd-1"))
BACKGROUND = {"ann-2", "bob-1"}
TOKEN_BUDGET, OVERHEAD, LARGEST = 12, 1, 15
MAX_QUEUED, MAX_ANSWERS, NUM_OPS = 6, 3, 12
GONE = NotFoundError("The adapter was removed.")


@dataclass
class Life:
    """One adapter from its addition to its removal, as it must go."""

    waiting: dict[int, set[int]] = field(default_factory=dict)
    outcomes: dict[int, Outcome | None] = field(default_factory=dict)
    is_running: bool = False
    #: Rows of the op in turn that earlier plans had.
    rows_done: int = 0
    #: Micro-batches and plans that were made while the op in turn was ready.
    micro_batches: int = 0
    plans: int = 0

    @property
    def next_id(self) -> int:
        return len(self.outcomes) + 1

    @property
    def is_ready(self) -> bool:
        return not self.is_running and self.next_id in self.waiting

    def end(self, outcome: Outcome | None) -> set[int]:
        """The op in turn has this outcome; None means that it was cancelled."""
        tickets = self.waiting.pop(self.next_id)
        self.outcomes[self.next_id] = outcome
        self.micro_batches = self.plans = self.rows_done = 0
        return tickets

    def skip(self) -> None:
        """What nobody waits for is cancelled in its turn, unless it was begun."""
        while not self.is_running and self.waiting.get(self.next_id) == set():
            if self.rows_done:
                break
            self.end(None)


class _RandomHistories(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.scheduler = Scheduler(
            TOKEN_BUDGET,
            overhead_tokens=OVERHEAD,
            max_queued=MAX_QUEUED,
            max_answers=MAX_ANSWERS,
        )
        self.lives: dict[AdapterId, Life] = {}
        self.plan: Plan | None = None
        self.running: list[Life] = []
        self.last_ticket = 0
        #: Everybody who is to be answered, and what for.
        self.open: dict[int, tuple[AdapterId, int]] = {}
        #: What the event under way must answer; the rest must be None.
        self.due: dict[int, Outcome] = {}

    def _op(self, adapter_id: AdapterId, sequence_id: int) -> Op:
        number = sequence_id + ADAPTERS.index(adapter_id)
        kind = number % 4
        if kind < 2:
            size = 1 + number % 5
            num_rows = LARGEST // size if adapter_id.startswith("ann") else 1
            return forward_backward(adapter_id, sequence_id, *[size] * num_rows)
        return (optim_step if kind == 2 else save)(adapter_id, sequence_id)

    def _handle(self, event: Event) -> None:
        for instruction in self.scheduler.handle(event):
            if not isinstance(instruction, Answer):
                self._check_plan(instruction)
                continue
            assert instruction.tickets
            for ticket in instruction.tickets:
                assert instruction.outcome is self.due.pop(ticket)
                del self.open[ticket]
        assert not self.due, "everybody who is to be answered is"

    def _check_plan(self, plan: Plan) -> None:
        assert self.plan is None, "one plan at a time"
        self.plan = plan
        ops: tuple[Op, ...] = plan.ops
        lives = [self.lives[op.adapter_id] for op in ops]
        assert lives, "a plan has ops"
        for op, life in zip(ops, lives, strict=True):
            assert life.is_ready
            assert op == self._op(op.adapter_id, life.next_id), "in order, none left out or twice"
            assert life.waiting[op.sequence_id] or life.rows_done, "somebody waits for it"
            life.is_running = True
        if isinstance(plan, RunMicroBatch):
            total = sum(part.num_tokens for part in plan.parts)
            assert total <= TOKEN_BUDGET or len(plan.ops) == 1
            for part, life in zip(plan.parts, lives, strict=True):
                assert part.start == life.rows_done < part.stop, "each row once, in order"
        self.running = lives
        for adapter_id, life in self.lives.items():
            if life.is_ready:
                life.plans += 1
                life.micro_batches += isinstance(plan, RunMicroBatch)
                self._check_wait(adapter_id, life)

    def _check_wait(self, adapter_id: AdapterId, life: Life) -> None:
        op = self._op(adapter_id, life.next_id)
        if isinstance(op, ForwardBackward):
            bound = starvation_bound(3, 2, LARGEST, TOKEN_BUDGET, OVERHEAD)
            assert life.micro_batches <= bound
        else:
            assert life.plans <= 2, "each kind is planned every third time"

    @rule(adapter_id=st.sampled_from(ADAPTERS))
    def add(self, adapter_id: AdapterId) -> None:
        self.lives.setdefault(adapter_id, Life())
        priority: Priority = "background" if adapter_id in BACKGROUND else "interactive"
        self._handle(AdapterAdded(adapter_id, adapter_id[:3], priority))

    @rule(adapter_id=st.sampled_from(ADAPTERS))
    def remove(self, adapter_id: AdapterId) -> None:
        life = self.lives.pop(adapter_id, Life())
        self.due = {ticket: GONE for tickets in life.waiting.values() for ticket in tickets}
        self._handle(AdapterRemoved(adapter_id, GONE))

    def _arrive(self, adapter_id: AdapterId, sequence_id: int) -> None:
        self.last_ticket += 1
        ticket = self.last_ticket
        life = self.lives.get(adapter_id)
        event = OpArrived(ticket, self._op(adapter_id, sequence_id))
        refusal = self._refusal(life, sequence_id)
        if life is None or refusal is not None:
            [answer, *plans] = self.scheduler.handle(event)
            assert isinstance(answer, Answer)
            assert answer.tickets == (ticket,)
            assert isinstance(answer.outcome, refusal or NotFoundError)
            assert not plans
            return
        self.open[ticket] = (adapter_id, sequence_id)
        if sequence_id in life.outcomes:
            outcome = life.outcomes[sequence_id]
            assert outcome is not None
            self.due = {ticket: outcome}
        else:
            life.waiting.setdefault(sequence_id, set()).add(ticket)
        self._handle(event)

    def _refusal(self, life: Life | None, sequence_id: int) -> type[TwinkleError] | None:
        if life is None:
            return NotFoundError
        if sequence_id < life.next_id:
            is_kept = sequence_id >= life.next_id - MAX_ANSWERS
            return None if is_kept and life.outcomes[sequence_id] is not None else ConflictError
        return None if sequence_id < life.next_id + MAX_QUEUED else QuotaExceededError

    @rule(adapter_id=st.sampled_from(ADAPTERS), sequence_id=st.integers(1, NUM_OPS))
    def arrive(self, adapter_id: AdapterId, sequence_id: int) -> None:
        self._arrive(adapter_id, sequence_id)

    @rule(adapter_id=st.sampled_from(ADAPTERS), num_ops=st.integers(1, 4))
    def arrive_in_order(self, adapter_id: AdapterId, num_ops: int) -> None:
        life = self.lives.get(adapter_id, Life())
        for sequence_id in range(life.next_id, life.next_id + num_ops):
            self._arrive(adapter_id, sequence_id)

    @precondition(lambda self: self.last_ticket > 0)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """One who waits leaves; tickets that were answered change nothing."""
        ticket = data.draw(st.integers(max(1, self.last_ticket - 8), self.last_ticket))
        if ticket in self.open:
            adapter_id, sequence_id = self.open.pop(ticket)
            life = self.lives[adapter_id]
            life.waiting[sequence_id].remove(ticket)
            life.skip()
        self._handle(OpCancelled(ticket))

    @precondition(lambda self: self.plan is not None)
    @rule(failing=st.sets(st.sampled_from(ADAPTERS)))
    def finish(self, failing: set[AdapterId]) -> None:
        assert self.plan is not None
        plan = self.plan
        ops: tuple[Op, ...] = plan.ops
        running = self.running
        self.plan, self.running, self.due = None, [], {}
        parts = plan.parts if isinstance(plan, RunMicroBatch) else ()
        to_come = {part.adapter_id: part.stop for part in parts if not part.is_last}
        outcomes: list[Outcome | PartDone] = []
        for op, life in zip(ops, running, strict=True):
            failure = RunFailedError(f"{op.adapter_id} {op.sequence_id}")
            if op.adapter_id in to_come.keys() - failing:
                life.rows_done = to_come[op.adapter_id]
                life.is_running = False
                outcomes.append(PartDone(life.rows_done))
                continue
            outcome: Outcome = failure if op.adapter_id in failing else OptimStepResult(1, 0.0, 0.0)
            outcomes.append(outcome)
            # Of one that was removed meanwhile nobody hears, its successor under the name least.
            if self.lives.get(op.adapter_id) is life:
                life.is_running = False
                self.due |= dict.fromkeys(life.end(outcome), outcome)
                life.skip()
        self._handle(PlanDone(tuple(outcomes)))

    @invariant()
    def nothing_runnable_lies_idle(self) -> None:
        assert self.plan is not None or not any(life.is_ready for life in self.lives.values())

    @invariant()
    def everybody_waits_for_something_queued(self) -> None:
        for ticket, (adapter_id, sequence_id) in self.open.items():
            assert ticket in self.lives[adapter_id].waiting[sequence_id]

    def teardown(self) -> None:
        """Everything that can run, runs: each op whose predecessors came is answered."""
        for _ in range(10 * NUM_OPS * len(ADAPTERS)):
            if self.plan is None:
                break
            self.finish(failing=set())
        assert self.plan is None
        for adapter_id, sequence_id in self.open.values():
            assert self.lives[adapter_id].next_id not in self.lives[adapter_id].waiting
            assert sequence_id > self.lives[adapter_id].next_id


TestRandomHistories = _RandomHistories.TestCase
TestRandomHistories.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
