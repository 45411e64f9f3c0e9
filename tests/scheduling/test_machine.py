"""What runs next: single decisions by example."""

from __future__ import annotations

import pytest

from tests.scheduling.conftest import A, B, C, forward_backward, optim_step, save
from twinkle_jupyter.errors import (
    CANCELLED,
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
    OpCancelled,
    PlanDone,
    RunMicroBatch,
    RunOptimSteps,
    RunSaves,
)
from twinkle_jupyter.scheduling.machine import Scheduler
from twinkle_jupyter.scheduling.op_part import OpPart, PartDone, whole
from twinkle_jupyter.scheduling.request import ForwardBackward, Op, OptimStepResult

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
    assert _feed(scheduler, OpArrived(2, first)) == [RunMicroBatch((whole(first),))]
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
    assert _feed(scheduler, PlanDone((DONE,)))[-1] == RunMicroBatch((whole(ops[1]), whole(ops[2])))
    assert _feed(scheduler, PlanDone((DONE, DONE)))[-1] == RunMicroBatch((whole(ops[0]),))


def test_an_op_larger_than_the_budget_runs_alone() -> None:
    scheduler = _scheduler(A, B, token_budget=10)
    large = forward_backward(A, 1, 50)
    assert _feed(scheduler, OpArrived(1, large)) == [RunMicroBatch((whole(large),))]


def _beside_a_small_one(op: ForwardBackward) -> tuple[Scheduler, OpPart]:
    """Have an op wait with another user's of 2 tokens; return the first part that it comes in."""
    scheduler = Scheduler(100, overhead_tokens=2)
    for adapter_id, user in ((A, "ann"), (B, "bob"), (C, "bob")):
        scheduler.handle(AdapterAdded(adapter_id, user))
    _feed(scheduler, OpArrived(1, optim_step(C, 1)), OpArrived(2, op))
    _feed(scheduler, OpArrived(3, forward_backward(B, 1, 2)))
    plan = _feed(scheduler, PlanDone((DONE,)))[-1]
    assert isinstance(plan, RunMicroBatch)
    assert plan.parts[1] == whole(forward_backward(B, 1, 2))
    return scheduler, plan.parts[0]


def test_a_large_op_beside_others_is_planned_in_parts_and_answered_once() -> None:
    op = forward_backward(A, 1, 2, 2, 2, 2)
    scheduler, first = _beside_a_small_one(op)
    assert first == OpPart(op, 0, 2)
    _feed(scheduler, OpArrived(4, optim_step(A, 2)))
    assert not scheduler.has_begun_ops, "the plan under way has it"
    # Nobody else is left: the rest of it in one.
    assert _feed(scheduler, PlanDone((PartDone(2), DONE))) == [
        Answer((3,), DONE),
        RunMicroBatch((OpPart(op, 2, 4),)),
    ]
    assert scheduler.handle(PlanDone((DONE,))) == [
        Answer((2,), DONE),
        RunOptimSteps((optim_step(A, 2),)),
    ]


def test_rows_that_a_loss_compares_are_never_parted() -> None:
    op = forward_backward(A, 1, 1, 1, 1, 1, 1, 1, 1, 1, loss="dpo")
    _, first = _beside_a_small_one(op)
    assert first == OpPart(op, 0, 4)


def test_an_op_that_was_begun_runs_to_its_end_though_nobody_waits() -> None:
    op = forward_backward(A, 1, 2, 2, 2, 2)
    scheduler, _ = _beside_a_small_one(op)
    _feed(scheduler, OpArrived(4, optim_step(C, 2)))
    assert _feed(scheduler, PlanDone((PartDone(2), DONE)))[-1] == RunOptimSteps((optim_step(C, 2),))
    assert scheduler.has_begun_ops
    assert _feed(scheduler, OpCancelled(2)) == []
    assert _feed(scheduler, PlanDone((DONE,)))[-1] == RunMicroBatch((OpPart(op, 2, 4),))
    _feed(scheduler, PlanDone((DONE,)))
    assert _feed(scheduler, OpArrived(5, op)) == [Answer((5,), DONE)]


def test_a_part_that_fails_ends_its_op_and_one_of_an_adapter_that_went_is_not_missed() -> None:
    op = forward_backward(A, 1, 2, 2, 2, 2)
    failure = RunFailedError("The loss is not a finite number.")
    scheduler, _ = _beside_a_small_one(op)
    assert _feed(scheduler, PlanDone((failure, DONE))) == [
        Answer((2,), failure),
        Answer((3,), DONE),
    ]
    scheduler, _ = _beside_a_small_one(op)
    assert _feed(scheduler, AdapterRemoved(A, GONE)) == [Answer((2,), GONE)]
    _feed(scheduler, AdapterAdded(A, "ann"), OpArrived(4, op))
    # The new adapter's op begins with its first row.
    assert _feed(scheduler, PlanDone((PartDone(2), DONE)))[-1] == RunMicroBatch((whole(op),))


def test_a_flood_of_small_ops_does_not_starve_a_large_one() -> None:
    scheduler = _scheduler(A, B, C, token_budget=10)
    _feed(scheduler, OpArrived(1, forward_backward(A, 1, 3)))
    large = forward_backward(B, 1, 9)
    _feed(scheduler, OpArrived(2, large), OpArrived(3, forward_backward(C, 1, 3)))
    _feed(scheduler, OpArrived(4, forward_backward(A, 2, 3)))
    assert _feed(scheduler, PlanDone((DONE,)))[-1] == RunMicroBatch((whole(large),))


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
        RunMicroBatch((whole(waiting),)),
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
    assert _feed(scheduler, PlanDone((DONE,))) == [RunMicroBatch((whole(again),))]
    assert _feed(scheduler, AdapterRemoved(C, GONE)) == []


def test_a_cancelled_op_is_skipped_and_its_sequence_id_is_spent() -> None:
    scheduler = _scheduler(A, B)
    _feed(scheduler, OpArrived(1, forward_backward(B, 1)))
    _feed(scheduler, OpArrived(2, forward_backward(A, 1)), OpArrived(3, optim_step(A, 2)))
    assert _feed(scheduler, OpCancelled(2)) == []
    assert _feed(scheduler, PlanDone((DONE,)))[-1] == RunOptimSteps((optim_step(A, 2),))
    with pytest.raises(ConflictError, match="Sequence id 1 of adapter 'a' was cancelled") as caught:
        raise _refusal(scheduler, forward_backward(A, 1))
    assert caught.value.code == CANCELLED


def test_an_op_in_a_plan_runs_to_its_end_though_nobody_waits() -> None:
    scheduler = _scheduler(A)
    _feed(scheduler, OpArrived(1, optim_step(A, 1)), OpArrived(2, optim_step(A, 2)))
    assert _feed(scheduler, OpCancelled(1)) == []
    assert _feed(scheduler, PlanDone((DONE,))) == [RunOptimSteps((optim_step(A, 2),))]
    assert _feed(scheduler, OpArrived(3, optim_step(A, 1))) == [Answer((3,), DONE)]


def test_an_op_that_somebody_else_waits_for_is_not_cancelled() -> None:
    scheduler = _scheduler(A)
    op = optim_step(A, 2)
    _feed(scheduler, OpArrived(1, op), OpArrived(2, op), OpCancelled(1), OpCancelled(1))
    _feed(scheduler, OpArrived(3, optim_step(A, 1)))
    assert _feed(scheduler, PlanDone((DONE,))) == [Answer((3,), DONE), RunOptimSteps((op,))]


def test_an_op_sent_again_before_its_turn_is_no_longer_cancelled() -> None:
    scheduler = _scheduler(A)
    op = optim_step(A, 2)
    _feed(scheduler, OpArrived(1, op), OpCancelled(1), OpArrived(2, op))
    _feed(scheduler, OpArrived(3, optim_step(A, 1)))
    assert _feed(scheduler, PlanDone((DONE,)))[-1] == RunOptimSteps((op,))
    assert _feed(scheduler, PlanDone((DONE,))) == [Answer((2,), DONE)]


def test_each_kind_of_plan_has_its_turn() -> None:
    scheduler = _scheduler(A, B, C)
    _feed(scheduler, OpArrived(1, optim_step(A, 1)), OpArrived(2, save(B, 1)))
    _feed(scheduler, OpArrived(3, forward_backward(C, 1)), OpArrived(4, optim_step(C, 2)))
    for number in range(2, 6):
        _feed(scheduler, OpArrived(number + 3, optim_step(A, number)))
    plans = [_feed(scheduler, PlanDone((DONE,)))[-1] for _ in range(3)]
    assert plans == [
        RunSaves((save(B, 1),)),
        RunMicroBatch((whole(forward_backward(C, 1)),)),
        RunOptimSteps((optim_step(A, 2), optim_step(C, 2))),
    ]


def test_one_user_saves_four_adapters_at_a_time() -> None:
    scheduler = _scheduler(C)
    _feed(scheduler, OpArrived(0, optim_step(C, 1)))
    names = [AdapterId(f"{user}{number}") for user in "xy" for number in range(6)]
    for ticket, name in enumerate(names, start=1):
        _feed(scheduler, AdapterAdded(name, name[0]), OpArrived(ticket, save(name, 1)))
    first = _feed(scheduler, PlanDone((DONE,)))[-1]
    assert isinstance(first, RunSaves)
    assert [op.adapter_id for op in first.ops] == [*names[:4], *names[6:10]]
    second = _feed(scheduler, PlanDone((DONE,) * 8))[-1]
    assert isinstance(second, RunSaves)
    assert [op.adapter_id for op in second.ops] == [*names[4:6], *names[10:]]
