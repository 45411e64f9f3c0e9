"""Ops of several adapters in one call: apart in what they learn, apart in how they fail."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.conftest import OpenEngine, example
from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.micro_batch import BatchRow, split_rows
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import (
    ConflictError,
    InvalidConfigError,
    InvalidDataError,
    NotFoundError,
    QuotaExceededError,
    RunFailedError,
    TwinkleError,
)
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    OptimStepResult,
)

A, B = AdapterId("a"), AdapterId("b")
ROW = example(5, 6, 7, 8, 9)
SPEC = AdapterSpec(rank=2, alpha=4.0)
STEP = AdamWSettings(learning_rate=1e-2)


def _forward_backward(adapter_id: AdapterId, *rows: Example) -> ForwardBackward:
    return ForwardBackward(adapter_id, 1, rows)


def _error(engine: StepEngine, op: ForwardBackward | OptimStep) -> TwinkleError:
    [outcome] = (
        engine.optim_step([op]) if isinstance(op, OptimStep) else engine.forward_backward([op])
    )
    assert isinstance(outcome, TwinkleError)
    return outcome


def test_first_weights_come_from_the_seed_alone(engine: StepEngine) -> None:
    for name, spec in (("x", AdapterSpec(3, 6.0)), ("a", SPEC), ("b", SPEC)):
        engine.create_adapter(AdapterId(name), spec)
    a, b = engine.bank.get(A), engine.bank.get(B)
    assert torch.equal(a.parameters, b.parameters)
    assert all(not pair.up.any() for pair in a.factors)
    bounds = [
        (pair.down.detach().abs().max(), 1 / math.sqrt(pair.down.shape[1])) for pair in a.factors
    ]
    assert all(0.5 * bound < float(largest) <= bound for largest, bound in bounds)
    engine.bank.get(A).parameters.detach().fill_(1.0)
    engine.create_adapter(A, AdapterSpec(1, 1.0, seed=7))
    assert bool((engine.bank.get(A).parameters == 1).all()), "creating again changes nothing"


def test_a_result_has_sums_and_logprobs_at_supervised_places(engine: StepEngine) -> None:
    engine.create_adapter(A, SPEC)
    row = Example((5, 6, 7), (6, 7, -100), (2.0, -0.5, 0.0))
    unsupervised = example(3, 4, weight=0.0)
    [result] = engine.forward_backward([_forward_backward(A, row, unsupervised)])
    assert isinstance(result, ForwardBackwardResult)
    first, second = result.logprobs[0][:2]
    assert result.loss_sum == pytest.approx(-2.0 * first + 0.5 * second, rel=1e-5)
    assert result == ForwardBackwardResult(
        loss_sum=result.loss_sum,
        logprobs=((first, second, 0.0), (0.0,)),
        num_tokens=4,
        num_supervised=2,
        seconds=result.seconds,
        forward_seconds=result.forward_seconds,
        backward_seconds=result.backward_seconds,
    )
    assert 0 < result.forward_seconds < result.seconds
    assert first < 0 > second


def test_scoring_all_places_changes_neither_loss_nor_gradient(open_engine: OpenEngine) -> None:
    rows = (
        Example((5, 6, 7, 8), (6, 7, 8, 9), (0.0, 1.0, -0.5, 0.0)),
        Example((5, 6, 2, 3), (6, 2, 3, 4), (0.0, 0.0, 0.0, 2.0)),
    )
    scored, plain = open_engine(), open_engine()
    results = []
    for engine, scores_all in ((scored, True), (plain, False)):
        engine.create_adapter(A, SPEC)
        engine.create_adapter(B, SPEC)
        # One that scores all and one that does not share the micro-batch.
        ops = [
            ForwardBackward(A, 1, rows, scores_all=scores_all),
            ForwardBackward(B, 1, rows[:1]),
        ]
        own, other = engine.forward_backward(ops)
        assert isinstance(own, ForwardBackwardResult)
        assert isinstance(other, ForwardBackwardResult)
        results.append((own, other))
    (all_places, other), (some_places, same) = results
    assert all_places.loss_sum == pytest.approx(some_places.loss_sum, rel=1e-5)
    assert other.logprobs[0] == pytest.approx(same.logprobs[0], rel=1e-5)
    gradients = [engine.bank.get(A).gradient for engine in (scored, plain)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)
    for every, some, example_ in zip(all_places.logprobs, some_places.logprobs, rows, strict=True):
        assert all(value < 0 for value in every)
        for value, known, weight in zip(every, some, example_.weights, strict=True):
            assert known == (pytest.approx(value, rel=1e-5) if weight else 0.0)


def test_what_is_only_scored_has_no_loss_and_a_gradient_of_zero(engine: StepEngine) -> None:
    engine.create_adapter(A, SPEC)
    row = Example((5, 6), (6, 7), (0.0, 0.0))
    [result] = engine.forward_backward([ForwardBackward(A, 1, (row,), scores_all=True)])
    assert isinstance(result, ForwardBackwardResult)
    assert result.loss_sum == 0
    assert not engine.bank.get(A).gradient.any()


def test_a_step_without_a_gradient_is_one_of_zero_where_it_may_be(engine: StepEngine) -> None:
    engine.create_adapter(A, SPEC)
    before = engine.bank.get(A).parameters.detach().clone()
    assert isinstance(_error(engine, OptimStep(A, 1, STEP)), ConflictError)
    [result] = engine.optim_step([OptimStep(A, 1, STEP, needs_gradient=False)])
    assert isinstance(result, OptimStepResult)
    assert (result.step, result.grad_norm) == (1, 0.0)
    assert torch.equal(engine.bank.get(A).parameters, before)


def test_forward_only_gives_the_loss_and_leaves_the_gradient(engine: StepEngine) -> None:
    engine.create_adapter(A, SPEC)
    engine.create_adapter(B, SPEC)
    look = ForwardBackward(A, 1, (ROW,), forward_only=True)
    seen, learned = engine.forward_backward([look, _forward_backward(B, ROW)])
    assert isinstance(seen, ForwardBackwardResult)
    assert isinstance(learned, ForwardBackwardResult)
    assert seen.loss_sum == pytest.approx(learned.loss_sum, rel=1e-5)
    assert not engine.bank.get(A).gradient.any()
    assert engine.bank.get(B).gradient.any()


def test_a_batch_in_two_ops_adds_up_to_the_whole(open_engine: OpenEngine) -> None:
    rows = (ROW, example(1, 2, 3), example(9, 8))
    whole, parts = open_engine(), open_engine()
    for engine in (whole, parts):
        engine.create_adapter(A, SPEC)
    whole.forward_backward([_forward_backward(A, *rows)])
    parts.forward_backward([_forward_backward(A, *rows[:1])])
    parts.forward_backward([_forward_backward(A, *rows[1:])])
    gradients = [engine.bank.get(A).gradient for engine in (whole, parts)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_nan_in_one_adapter_reaches_no_other(open_engine: OpenEngine) -> None:
    alone, together = open_engine(), open_engine()
    for engine in (alone, together):
        engine.create_adapter(A, SPEC)
        engine.forward_backward([_forward_backward(A, example(4, 5, 6))])
        engine.forward_backward([_forward_backward(A, ROW)])
    together = open_engine()
    together.create_adapter(A, SPEC)
    together.create_adapter(B, SPEC)
    together.forward_backward([_forward_backward(A, example(4, 5, 6))])
    together.bank.get(B).parameters.detach().fill_(math.nan)
    good, bad = together.forward_backward([_forward_backward(A, ROW), _forward_backward(B, ROW)])
    assert isinstance(good, ForwardBackwardResult)
    with pytest.raises(RunFailedError, match="loss or gradient of adapter 'b' is not a finite"):
        raise bad if isinstance(bad, TwinkleError) else AssertionError(bad)
    assert torch.equal(together.bank.get(A).gradient, alone.bank.get(A).gradient)
    assert not together.bank.get(B).gradient.any()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (example(5, 6, 99_999, 7), "Example 2 has token id 99999"),
        (example(5, 6, 99_999), "Example 2 has target id 99999"),
        (example(-1, 6), "Example 2 has token id -1"),
        (example(5, 6, weight=math.nan), "Example 2 has a loss weight that is not a finite"),
        (Example((), (), ()), "Example 2 has no tokens"),
        (example(*[5] * 300), "Example 2 has 299 tokens; the base model reads 256"),
    ],
)
def test_a_bad_example_fails_its_own_op_only(
    engine: StepEngine, row: Example, message: str
) -> None:
    engine.create_adapter(A, SPEC)
    engine.create_adapter(B, SPEC)
    bad, good = engine.forward_backward([_forward_backward(A, ROW, row), _forward_backward(B, ROW)])
    assert isinstance(good, ForwardBackwardResult)
    with pytest.raises(InvalidDataError, match=message):
        raise bad if isinstance(bad, TwinkleError) else AssertionError(bad)
    assert not engine.bank.get(A).gradient.any()


def test_an_op_that_cannot_be_run_says_why(engine: StepEngine) -> None:
    with pytest.raises(NotFoundError, match="Adapter 'a' is not on this trainer"):
        raise _error(engine, _forward_backward(A, ROW))
    engine.create_adapter(A, SPEC)
    with pytest.raises(InvalidConfigError, match="loss='hope' is not one of cispo, cross_entropy"):
        raise _error(engine, ForwardBackward(A, 1, (ROW,), loss="hope"))
    with pytest.raises(InvalidDataError, match="There are no examples"):
        raise _error(engine, _forward_backward(A))
    with pytest.raises(ConflictError, match="Adapter 'a' has no gradient"):
        raise _error(engine, OptimStep(A, 1, STEP))
    engine.forward_backward([_forward_backward(A, ROW)])
    with pytest.raises(InvalidConfigError, match="no meaning with learning_rate=-1, beta1=1"):
        raise _error(engine, OptimStep(A, 1, AdamWSettings(learning_rate=-1, beta1=1.0)))
    # Refused settings do not use up the gradient.
    [result] = engine.optim_step([OptimStep(A, 1, STEP)])
    assert isinstance(result, OptimStepResult)
    assert result.step == 1


def test_a_gradient_without_a_finite_norm_is_thrown_away(engine: StepEngine) -> None:
    engine.create_adapter(A, SPEC)
    engine.forward_backward([_forward_backward(A, ROW)])
    before = engine.bank.get(A).parameters.detach().clone()
    slot = engine.bank.get(A)
    slot.set_gradient(torch.full_like(slot.gradient, 3e38))
    with pytest.raises(RunFailedError, match="the optimizer step was not taken"):
        raise _error(engine, OptimStep(A, 1, STEP))
    slot = engine.bank.get(A)
    assert torch.equal(slot.parameters, before)
    assert (slot.step, slot.has_gradient) == (0, False)


def test_a_full_trainer_refuses_one_more(engine: StepEngine) -> None:
    for number in range(3):
        engine.create_adapter(AdapterId(str(number)), SPEC)
    with pytest.raises(QuotaExceededError, match="3 adapters, which is as many as it may have"):
        engine.create_adapter(A, SPEC)
    engine.remove_adapter(AdapterId("0"))
    engine.create_adapter(A, SPEC)
    engine.remove_adapter(A)
    with pytest.raises(InvalidConfigError, match="rank=0 is not above 0"):
        engine.create_adapter(B, AdapterSpec(0, 4.0))


def test_a_layout_covers_its_buffer_once(engine: StepEngine, tmp_path: Path) -> None:
    engine.create_adapter(A, SPEC)
    layout: AdapterLayout = engine.bank.get(A).layout
    flat = torch.arange(layout.num_parameters)
    pieces = [piece.flatten() for pair in layout.split(flat) for piece in pair]
    assert torch.equal(torch.cat(pieces).sort().values, flat)


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 80))
def test_rows_are_split_under_the_budget_and_none_is_lost(lengths: list[int], budget: int) -> None:
    rows = [
        BatchRow(example(*[1] * (length + 1)), 0, number) for number, length in enumerate(lengths)
    ]
    units = [rows[start : start + 2] for start in range(0, len(rows), 2)]
    for is_packed in (True, False):
        parts = split_rows(units, budget, is_packed=is_packed)
        for part in parts:
            sizes = [row.example.num_tokens for row in part]
            size = sum(sizes) if is_packed else max(sizes) * len(part)
            assert size <= budget or len(part) <= 2
        assert all(
            any(part[at : at + len(unit)] == unit for part in parts for at in range(len(part)))
            for unit in units
        )
        assert sum(map(len, parts)) == len(rows)
