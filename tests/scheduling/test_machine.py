"""What runs next: single decisions by example, the whole by random histories."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.scheduling.conftest import A, B, C, forward_backward, optim_step, save
from twinkle_jupyter.errors import (
    ConflictError,
    InvalidDataError,
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
    Instruction,
    OpArrived,
    Outcome,
    Plan,
    PlanDone,
    RunMicroBatch,
    RunOptimSteps,
    RunSaves,
)
from twinkle_jupyter.scheduling.machine import Scheduler
from twinkle_jupyter.scheduling.ready_ops import count_tokens
from twinkle_jupyter.scheduling.request import CheckpointSaved, Op, OptimStepResult

DONE = OptimStepResult(step=1, grad_norm=0.5, seconds=0.1)
GONE = NotFoundError("Adapter 'a' was removed.")


def _scheduler(*adapter_ids: AdapterId, token_budget: int = 100, max_queued: int = 4) -> Scheduler:
    scheduler = Scheduler(token_budget, max_queued=max_queued, max_answers=2)
    for adapter_id in adapter_ids:
        assert scheduler.handle(AdapterAdded(adapter_id)) == []
    return scheduler


def _feed(scheduler: Scheduler, *events: Event) -> list[Instruction]:
    return [instruction for event in events for instruction in scheduler.handle(event)]


def test_an_op_that_comes_early_waits_for_the_one_before() -> None:
    scheduler = _scheduler(A)
    assert _feed(scheduler, OpArrived(1, optim_step(A, 2))) == []
    first = forward_backward(A, 1)
    assert _feed(scheduler, OpArrived(2, first)) == [RunMicroBatch((first,))]
    assert _feed(scheduler, PlanDone((DONE,))) == [
        Answer((2,), DONE),
        RunOptimSteps((optim_step(A, 2),)),
    ]


def test_ready_ops_of_several_adapters_share_a_micro_batch_within_the_budget() -> None:
    scheduler = _scheduler(A, B, C, token_budget=10)
    _feed(scheduler, OpArrived(1, optim_step(A, 1)))
    ops = [forward_backward(A, 2, 4), forward_backward(B, 1, 6), forward_backward(C, 1, 1)]
    for ticket, op in enumerate(ops, start=2):
        assert _feed(scheduler, OpArrived(ticket, op)) == []
    # A was served last: B and C are in turn first, and A no longer fits.
    assert _feed(scheduler, PlanDone((DONE,)))[-1] == RunMicroBatch((ops[1], ops[2]))
    assert _feed(scheduler, PlanDone((DONE, DONE)))[-1] == RunMicroBatch((ops[0],))


def test_an_op_larger_than_the_budget_runs_alone() -> None:
    scheduler = _scheduler(A, B, token_budget=10)
    large = forward_backward(A, 1, 50)
    assert _feed(scheduler, OpArrived(1, large)) == [RunMicroBatch((large,))]


def test_a_flood_of_small_ops_does_not_starve_a_large_one() -> None:
    scheduler = _scheduler(A, B, C, token_budget=10)
    _feed(scheduler, OpArrived(1, forward_backward(A, 1, 3)))
    large = forward_backward(B, 1, 9)
    _feed(scheduler, OpArrived(2, large), OpArrived(3, forward_backward(C, 1, 3)))
    _feed(scheduler, OpArrived(4, forward_backward(A, 2, 3)))
    assert _feed(scheduler, PlanDone((DONE,)))[-1] == RunMicroBatch((large,))


def test_optimizer_steps_go_first_but_never_twice_in_a_row_past_a_micro_batch() -> None:
    scheduler = _scheduler(A, B, C)
    waiting = forward_backward(C, 1)
    _feed(scheduler, OpArrived(1, forward_backward(A, 1)))
    _feed(scheduler, OpArrived(2, optim_step(B, 1)), OpArrived(3, waiting))
    _feed(scheduler, OpArrived(4, optim_step(B, 2)), OpArrived(5, optim_step(A, 2)))
    plans = [_feed(scheduler, PlanDone((DONE,)))[-1]]
    plans.append(_feed(scheduler, PlanDone((DONE, DONE)))[-1])
    plans.append(_feed(scheduler, PlanDone((DONE,)))[-1])
    assert plans == [
        RunOptimSteps((optim_step(B, 1), optim_step(A, 2))),
        RunMicroBatch((waiting,)),
        RunOptimSteps((optim_step(B, 2),)),
    ]


def test_saves_of_several_adapters_run_together() -> None:
    scheduler = _scheduler(A, B, C)
    _feed(scheduler, OpArrived(1, optim_step(C, 1)))
    _feed(scheduler, OpArrived(2, save(A, 1)), OpArrived(3, save(B, 1)))
    assert _feed(scheduler, PlanDone((DONE,)))[-1] == RunSaves((save(A, 1), save(B, 1)))


def test_the_same_op_twice_runs_once_and_answers_everybody() -> None:
    scheduler = _scheduler(A)
    op = optim_step(A, 1)
    _feed(scheduler, OpArrived(1, op), OpArrived(2, op))
    assert _feed(scheduler, PlanDone((DONE,))) == [Answer((1, 2), DONE)]
    assert _feed(scheduler, OpArrived(3, op)) == [Answer((3,), DONE)]


def test_a_failed_op_consumes_its_sequence_id() -> None:
    scheduler = _scheduler(A)
    failure = RunFailedError("The loss is not a finite number.")
    _feed(scheduler, OpArrived(1, forward_backward(A, 1)), OpArrived(2, optim_step(A, 2)))
    answer, plan = _feed(scheduler, PlanDone((failure,)))
    assert (answer, plan) == (Answer((1,), failure), RunOptimSteps((optim_step(A, 2),)))
    assert _feed(scheduler, OpArrived(3, forward_backward(A, 1))) == [Answer((3,), failure)]


def _refusal(scheduler: Scheduler, op: Op) -> TwinkleError:
    [answer] = scheduler.handle(OpArrived(99, op))
    assert isinstance(answer, Answer)
    assert answer.tickets == (99,)
    assert isinstance(answer.outcome, TwinkleError)
    return answer.outcome


def test_an_op_too_far_ahead_is_refused_and_the_next_never_is() -> None:
    scheduler = _scheduler(A, max_queued=4)
    for number in (2, 3, 4):
        assert _feed(scheduler, OpArrived(number, optim_step(A, number))) == []
    with pytest.raises(QuotaExceededError, match=r"Sequence id 5 .* more than 4 ahead"):
        raise _refusal(scheduler, optim_step(A, 5))
    assert _feed(scheduler, OpArrived(1, optim_step(A, 1))) == [RunOptimSteps((optim_step(A, 1),))]


def test_an_op_that_cannot_be_answered_is_refused_in_one_sentence() -> None:
    scheduler = _scheduler(A)
    with pytest.raises(NotFoundError, match="Adapter 'b' is not on this trainer"):
        raise _refusal(scheduler, optim_step(B, 1))
    with pytest.raises(InvalidDataError, match="Sequence id 0 of adapter 'a' is not at least 1"):
        raise _refusal(scheduler, optim_step(A, 0))
    for number in (1, 2, 3):
        _feed(scheduler, OpArrived(number, optim_step(A, number)), PlanDone((DONE,)))
    with pytest.raises(ConflictError, match="answered long ago; only the last 2 are kept"):
        raise _refusal(scheduler, optim_step(A, 1))
    _feed(scheduler, OpArrived(4, optim_step(A, 4)))
    with pytest.raises(ConflictError, match=r"Sequence id 4 .* with another request"):
        raise _refusal(scheduler, forward_backward(A, 4))


def test_a_removed_adapter_answers_what_waits_and_hears_nothing_of_what_ran() -> None:
    scheduler = _scheduler(A, B)
    _feed(scheduler, OpArrived(1, optim_step(A, 1)), OpArrived(2, optim_step(A, 3)))
    assert _feed(scheduler, AdapterRemoved(A, GONE)) == [Answer((1,), GONE), Answer((2,), GONE)]
    again = forward_backward(A, 1)
    # One of the same name does not start while the old one's plan runs, nor does it get its answer.
    assert _feed(scheduler, AdapterAdded(A), OpArrived(3, again)) == []
    assert _feed(scheduler, PlanDone((DONE,))) == [RunMicroBatch((again,))]
    assert _feed(scheduler, AdapterRemoved(C, GONE)) == []


class _RandomHistories(RuleBasedStateMachine):
    """Arrivals in any order, twice, too early; removals and failures at any moment."""

    ADAPTERS = (A, B, C)
    TOKEN_BUDGET = 12
    MAX_QUEUED = 6
    NUM_OPS = 12

    @initialize()
    def start(self) -> None:
        self.scheduler = Scheduler(self.TOKEN_BUDGET, max_queued=self.MAX_QUEUED, max_answers=3)
        self.plan: Plan | None = None
        self.last_ticket = 0
        self.waiting: dict[int, tuple[AdapterId, int]] = {}
        self.lives: dict[AdapterId, int] = defaultdict(int)
        self.present: set[AdapterId] = set()
        #: Sequence ids in the order they ran, for each life of each adapter.
        self.ran: dict[tuple[AdapterId, int], list[int]] = defaultdict(list)
        self.plan_lives: tuple[int, ...] = ()
        self.outcomes: dict[tuple[AdapterId, int, int], Outcome] = {}

    def _op(self, adapter_id: AdapterId, sequence_id: int) -> Op:
        kinds = (
            forward_backward(adapter_id, sequence_id, 1 + sequence_id % 9),
            optim_step(adapter_id, sequence_id),
            save(adapter_id, sequence_id),
        )
        return kinds[(sequence_id * 7 + len(adapter_id)) % 3 if sequence_id % 4 else 0]

    def _handle(self, event: Event) -> None:
        for instruction in self.scheduler.handle(event):
            if isinstance(instruction, Answer):
                for ticket in instruction.tickets:
                    # Nobody is answered twice.
                    adapter_id, sequence_id = self.waiting.pop(ticket)
                    self._check_answer(adapter_id, sequence_id, instruction.outcome)
            else:
                self._check_plan(instruction)

    def _check_answer(self, adapter_id: AdapterId, sequence_id: int, outcome: Outcome) -> None:
        key = (adapter_id, self.lives[adapter_id], sequence_id)
        if key in self.outcomes and not isinstance(outcome, ConflictError | NotFoundError):
            assert outcome is self.outcomes[key]

    def _check_plan(self, plan: Plan) -> None:
        assert self.plan is None, "one plan at a time"
        self.plan = plan
        adapter_ids = [op.adapter_id for op in plan.ops]
        assert adapter_ids, "a plan has ops"
        assert len(set(adapter_ids)) == len(adapter_ids), "an adapter has one op in a plan"
        assert set(adapter_ids) <= self.present
        if isinstance(plan, RunMicroBatch):
            total = sum(map(count_tokens, plan.ops))
            assert total <= self.TOKEN_BUDGET or len(plan.ops) == 1
        self.plan_lives = tuple(self.lives[adapter_id] for adapter_id in adapter_ids)
        for op in plan.ops:
            ran = self.ran[op.adapter_id, self.lives[op.adapter_id]]
            ran.append(op.sequence_id)
            # In order, each once, none left out.
            assert ran == list(range(1, len(ran) + 1))

    @rule(adapter_id=st.sampled_from(ADAPTERS))
    def add(self, adapter_id: AdapterId) -> None:
        if adapter_id not in self.present:
            self.present.add(adapter_id)
            self.lives[adapter_id] += 1
        self._handle(AdapterAdded(adapter_id))

    @rule(adapter_id=st.sampled_from(ADAPTERS))
    def remove(self, adapter_id: AdapterId) -> None:
        self.present.discard(adapter_id)
        self._handle(AdapterRemoved(adapter_id, GONE))
        assert adapter_id not in {waiting[0] for waiting in self.waiting.values()}

    @rule(adapter_id=st.sampled_from(ADAPTERS), sequence_id=st.integers(1, NUM_OPS))
    def arrive(self, adapter_id: AdapterId, sequence_id: int) -> None:
        self.last_ticket += 1
        self.waiting[self.last_ticket] = (adapter_id, sequence_id)
        self._handle(OpArrived(self.last_ticket, self._op(adapter_id, sequence_id)))

    @precondition(lambda self: self.plan is not None)
    @rule(failing=st.sets(st.sampled_from(ADAPTERS)))
    def finish(self, failing: set[AdapterId]) -> None:
        assert self.plan is not None
        plan, lives = self.plan, self.plan_lives
        self.plan = None
        outcomes: list[Outcome] = []
        ops: tuple[Op, ...] = plan.ops
        for op, life in zip(ops, lives, strict=True):
            failure = RunFailedError(f"{op.adapter_id} {op.sequence_id}")
            outcome = failure if op.adapter_id in failing else CheckpointSaved(life, 0)
            outcomes.append(outcome)
            self.outcomes[op.adapter_id, life, op.sequence_id] = outcome
        self._handle(PlanDone(tuple(outcomes)))

    @invariant()
    def nothing_runnable_lies_idle(self) -> None:
        if self.plan is not None:
            return
        for adapter_id, sequence_id in self.waiting.values():
            ran = self.ran[adapter_id, self.lives[adapter_id]]
            assert sequence_id > len(ran) + 1, "the op in turn is not in a plan"

    def teardown(self) -> None:
        """Everything that can run, runs: each op whose predecessors came is answered."""
        while self.plan is not None:
            self.finish(failing=set())
        self.nothing_runnable_lies_idle()


TestRandomHistories = _RandomHistories.TestCase
TestRandomHistories.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
