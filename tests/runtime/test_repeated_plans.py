"""Plans of a journal on an engine: parts of ops, in whatever lives they were computed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.runtime.lives import SPECS, A, B, row
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.runtime.cuts import Cut
from twinkle_jupyter.runtime.op_codec import encode_op, encode_outcome, encode_spec
from twinkle_jupyter.runtime.recovery import Recovery
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    ForwardBackward,
    ForwardBackwardResult,
    Op,
    OptimStep,
)
from twinkle_jupyter.store.interface import LogEntry, Row

LARGE = ForwardBackward(A, 1, tuple(row(A, number) for number in range(16)))
SMALL = ForwardBackward(B, 1, (row(B, 1),))
FAILURE = encode_outcome(RunFailedError("There was no memory."))


@pytest.fixture
def recovery(tiny_model: Path, tmp_path: Path) -> Recovery:
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny")
    return Recovery(engine, Cut(), tmp_path)


def _taken_in(*ops: Op) -> list[Row]:
    rows: list[Row] = []
    for key in (A, B):
        whose: Row = {"adapter": key, "user": key, "priority": "interactive"}
        rows.append({"kind": "added", "spec": encode_spec(SPECS[key]), **whose})
    for op in ops:
        place: Row = {"adapter": op.adapter_id, "sequence": op.sequence_id}
        rows.append({"kind": "op", "op": encode_op(op), **place})
    return rows


def _plan(*keys: tuple[str, int], **more: Row) -> Row:
    return {"kind": "plan", "ops": list(keys), "failed": {}, "budget": 8192, **more}


def _repeat(recovery: Recovery, rows: Sequence[Row]) -> None:
    recovery.repeat([LogEntry(number, entry) for number, entry in enumerate(rows, start=1)])


def _gradient(recovery: Recovery) -> Tensor:
    gradient = recovery._engine.copy_adapter(A).gradient
    assert gradient is not None
    return gradient


@pytest.mark.parametrize(
    "parts",
    [
        ([0, 8], [0, 5], [5, 11], [11, 16]),  # a life ended after the first
        ([0, 8], []),  # and the next one did it whole
        ([11, 16],),  # the cut is of its middle
        ([0, 3], [3, 16]),
    ],
)
def test_parts_leave_what_the_whole_leaves_whichever_of_them_are_there(
    recovery: Recovery, parts: Sequence[list[int]], tiny_model: Path, tmp_path: Path
) -> None:
    plans = [_plan((A, 1), **({"rows": {"0": part}} if part else {})) for part in parts]
    _repeat(recovery, [*_taken_in(LARGE), *plans])
    told = recovery.recovered.queues[A].answers[1]
    assert isinstance(told, ForwardBackwardResult)
    assert len(told.logprobs) == 16
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny")
    other = Recovery(engine, Cut(), tmp_path)
    _repeat(other, [*_taken_in(LARGE), _plan((A, 1))])
    torch.testing.assert_close(_gradient(recovery), _gradient(other), rtol=1e-4, atol=1e-5)
    assert not recovery.recovered.pending


def test_a_gap_between_two_parts_loses_their_adapter_and_no_other(
    recovery: Recovery, caplog: pytest.LogCaptureFixture
) -> None:
    plans = [
        _plan((A, 1), rows={"0": [0, 3]}),
        _plan((B, 1), (A, 1), rows={"1": [8, 16]}),
    ]
    with caplog.at_level(logging.ERROR):
        _repeat(recovery, [*_taken_in(LARGE, SMALL), *plans])
    assert "adapter a is lost: op 1 has a gap" in caplog.text
    assert set(recovery.recovered.queues) == {B}
    assert isinstance(recovery.recovered.queues[B].answers[1], ForwardBackwardResult)


def test_what_failed_leaves_nothing_though_it_would_not_fail_now(recovery: Recovery) -> None:
    plans = [_plan((A, 1), (B, 1), failed={"0": FAILURE}), _plan((A, 2), failed={"0": FAILURE})]
    again = ForwardBackward(A, 2, LARGE.examples)
    _repeat(recovery, [*_taken_in(LARGE, SMALL, again), *plans])
    assert recovery._engine.copy_adapter(A).gradient is None
    assert recovery._engine.copy_adapter(B).gradient is not None
    assert isinstance(recovery.recovered.queues[A].answers[2], RunFailedError)


def test_a_plan_that_failed_as_a_whole_changes_no_token_budget(recovery: Recovery) -> None:
    """What was written before it was known: a trainer must start after it all the same."""
    step = OptimStep(A, 2, AdamWSettings(learning_rate=1e-2))
    failed = {**_plan((A, 1), failed={"0": FAILURE}), "budget": 0}
    more = ForwardBackward(A, 3, LARGE.examples)
    _repeat(recovery, [*_taken_in(LARGE, step, more), failed, _plan((A, 3))])
    assert recovery._engine.token_budget == 8192
    assert isinstance(recovery.recovered.queues[A].answers[3], ForwardBackwardResult)
