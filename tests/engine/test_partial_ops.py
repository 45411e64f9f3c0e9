"""Ops whose rows come in several calls: what they leave is what the whole op leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import OpenEngine, example
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.losses import LOSSES
from twinkle_jupyter.engine.residency import AdapterLimits
from twinkle_jupyter.engine.step import PartOutcome, StepEngine
from twinkle_jupyter.errors import InvalidDataError, RunFailedError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.op_part import ROWS_PER_UNIT, OpPart, PartDone, whole
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
)

A, B = AdapterId("a"), AdapterId("b")
SPEC = AdapterSpec(rank=2, alpha=4.0)
STEP = AdamWSettings(learning_rate=1e-2)
ROWS = tuple(example(*range(3 + row, 12 + 2 * row)) for row in range(6))
EARLIER = ForwardBackward(A, 1, (example(9, 8, 7),))


def _open(open_engine: OpenEngine) -> StepEngine:
    """Both adapters have learned a little, and A has a gradient already."""
    engine = open_engine()
    for key in (A, B):
        engine.create_adapter(key, SPEC)
        engine.forward_backward([ForwardBackward(key, 1, (example(5, 6, 7, 8),))])
        engine.optim_step([OptimStep(key, 2, STEP)])
    engine.forward_backward([EARLIER])
    return engine


def _result(outcome: PartOutcome) -> ForwardBackwardResult:
    assert isinstance(outcome, ForwardBackwardResult), outcome
    return outcome


def _in_parts(engine: StepEngine, op: ForwardBackward, *stops: int) -> ForwardBackwardResult:
    """Compute the op up to each of these rows, and the rest; always beside another's op."""
    start = 0
    for stop in stops:
        other = whole(ForwardBackward(B, 3 + start, (example(4, 5, 6),)))
        assert engine.forward_backward_parts([other, OpPart(op, start, stop)])[1] == PartDone(stop)
        start = stop
    [outcome] = engine.forward_backward_parts([OpPart(op, start, len(op.examples))])
    return _result(outcome)


def _op(loss: str, settings: Mapping[str, float]) -> ForwardBackward:
    rows = [
        replace(
            row,
            advantages=tuple(0.5 - place % 3 for place in range(row.num_tokens)),
            sampled_logprobs=tuple(-5.0 - place % 2 for place in range(row.num_tokens)),
        )
        for row in ROWS
    ]
    return ForwardBackward(A, 4, tuple(rows), loss, settings)


@pytest.mark.parametrize(
    ("loss", "settings"),
    [("cross_entropy", {}), ("ppo", {}), ("dpo", {"beta": 0.1})],
)
def test_parts_leave_what_the_whole_leaves(
    open_engine: OpenEngine, loss: str, settings: Mapping[str, float]
) -> None:
    op = _op(loss, settings)
    one, other = _open(open_engine), _open(open_engine)
    [outcome] = one.forward_backward([op])
    expected, told = _result(outcome), _in_parts(other, op, 2, 4)
    torch.testing.assert_close(
        other.bank.get(A).gradient, one.bank.get(A).gradient, rtol=1e-4, atol=1e-5
    )
    assert told.loss_sum == pytest.approx(expected.loss_sum, rel=1e-5)
    assert [len(row) for row in told.logprobs] == [row.num_tokens for row in ROWS]
    flat, flat_expected = (sum(each.logprobs, ()) for each in (told, expected))
    assert flat == pytest.approx(flat_expected, rel=1e-4, abs=1e-5)
    assert dict(told.metrics) == pytest.approx(dict(expected.metrics), rel=1e-4, abs=1e-5)
    assert (told.num_tokens, told.num_supervised) == (expected.num_tokens, expected.num_supervised)
    steps = [each.optim_step([OptimStep(A, 5, STEP)])[0] for each in (one, other)]
    assert not any(isinstance(step, TwinkleError) for step in steps)
    torch.testing.assert_close(
        other.bank.get(A).parameters, one.bank.get(A).parameters, rtol=1e-4, atol=1e-5
    )


def test_between_two_parts_the_adapter_is_as_it_was(open_engine: OpenEngine) -> None:
    engine, op = _open(open_engine), ForwardBackward(A, 4, ROWS)
    before = engine.copy_adapter(A)
    assert before.gradient is not None
    size_bytes = engine.size_bytes
    engine.forward_backward_parts([OpPart(op, 0, 3)])
    now = engine.copy_adapter(A)
    assert now.gradient is not None
    assert torch.equal(now.gradient, before.gradient)
    assert engine.size_bytes == size_bytes + before.gradient.nbytes
    fresh = open_engine()
    fresh.create_adapter(A, SPEC)
    fresh.forward_backward_parts([OpPart(op, 0, 3)])
    assert fresh.copy_adapter(A).gradient is None, "an adapter without a gradient has none"
    engine.remove_adapter(A)
    assert engine.size_bytes == size_bytes, "a stack keeps its room, and nothing else is kept"


def test_an_adapter_may_leave_its_slot_between_two_parts(tiny_model: Path) -> None:
    limits = AdapterLimits(max_active=1, max_adapters=3)
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny", limits=limits)
    _open(lambda: engine)
    engine.forward_backward([ForwardBackward(A, 4, ROWS)])
    expected = engine.adapters.peek(A).gradient
    assert expected is not None
    expected = expected.clone()
    engine.optim_step([OptimStep(A, 5, replace(STEP, learning_rate=0.0), effect="discard")])
    engine.forward_backward([EARLIER])
    _in_parts(engine, ForwardBackward(A, 6, ROWS), 1, 3)
    gradient = engine.adapters.peek(A).gradient
    assert gradient is not None
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


def test_a_part_that_fails_leaves_no_trace_of_the_others(open_engine: OpenEngine) -> None:
    engine, op = _open(open_engine), ForwardBackward(A, 4, ROWS)
    before = engine.copy_adapter(A).gradient
    assert before is not None
    engine.forward_backward_parts([OpPart(op, 0, 3)])
    weights = engine.bank.get(A).parameters.clone()
    engine.bank.get(A).parameters.fill_(math.nan)
    good = whole(ForwardBackward(B, 3, (example(4, 5, 6),)))
    failed, fine = engine.forward_backward_parts([OpPart(op, 3, 6), good])
    assert isinstance(failed, RunFailedError)
    _result(fine)
    engine.bank.get(A).parameters.copy_(weights)
    assert torch.equal(engine.bank.get(A).gradient, before)
    # What follows knows nothing of it.
    [look] = engine.forward_backward([replace(op, sequence_id=5, forward_only=True)])
    assert len(_result(look).logprobs) == len(ROWS)
    assert torch.equal(engine.bank.get(A).gradient, before)


def test_an_op_that_begins_anew_forgets_what_was_computed(open_engine: OpenEngine) -> None:
    one, other = _open(open_engine), _open(open_engine)
    op = ForwardBackward(A, 4, ROWS)
    one.forward_backward([op])
    other.forward_backward_parts([OpPart(replace(op, examples=ROWS[::-1]), 0, 5)])
    assert _in_parts(other, op, 2).loss_sum == pytest.approx(
        _result(one.forward_backward([replace(op, forward_only=True)])[0]).loss_sum, rel=1e-5
    )
    torch.testing.assert_close(
        other.bank.get(A).gradient, one.bank.get(A).gradient, rtol=1e-4, atol=1e-5
    )


def test_a_bad_row_of_a_later_part_is_found_before_the_first(open_engine: OpenEngine) -> None:
    engine = _open(open_engine)
    op = ForwardBackward(A, 4, (*ROWS, example(5, 99_999, 6)))
    [outcome] = engine.forward_backward_parts([OpPart(op, 0, 2)])
    assert isinstance(outcome, InvalidDataError)
    assert "Example 7 has token id 99999" in str(outcome)


def test_the_scheduler_knows_which_losses_compare_rows() -> None:
    widths = {name: loss.rows_per_unit for name, loss in LOSSES.items()}
    assert widths == {name: ROWS_PER_UNIT.get(name, 1) for name in LOSSES}
    assert ROWS_PER_UNIT.keys() <= LOSSES.keys()
