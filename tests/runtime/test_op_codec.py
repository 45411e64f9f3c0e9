"""Ops and outcomes come back from JSON as they went in, to the last bit."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.errors import CANCELLED, ConflictError, RunFailedError, TwinkleError
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.op_codec import (
    decode_op,
    decode_outcome,
    decode_spec,
    encode_op,
    encode_outcome,
    encode_spec,
)
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    CheckpointCopied,
    ForwardBackward,
    ForwardBackwardResult,
    Op,
    OptimStep,
    OptimStepResult,
    Refusal,
    SaveCheckpoint,
)

A = AdapterId("a")
FLOATS = st.floats(allow_nan=False)
NAMES = st.text("abc", min_size=1, max_size=3)


@st.composite
def examples(draw: st.DrawFn) -> Example:
    size = draw(st.integers(0, 6))
    ids = st.lists(st.integers(0, 2**40), min_size=size, max_size=size).map(tuple)
    numbers = st.lists(FLOATS, min_size=size, max_size=size).map(tuple)
    optional = st.one_of(st.just(()), numbers)
    return Example(draw(ids), draw(ids), draw(numbers), draw(optional), draw(optional))


OPS = st.one_of(
    st.builds(
        ForwardBackward,
        st.just(A),
        st.just(7),
        st.lists(examples(), max_size=3).map(tuple),
        loss=NAMES,
        loss_settings=st.dictionaries(NAMES, FLOATS),
        forward_only=st.booleans(),
        scores_all=st.booleans(),
    ),
    st.builds(
        OptimStep,
        st.just(A),
        st.just(7),
        st.builds(AdamWSettings, *[st.floats(0, 10)] * 7),
        needs_gradient=st.booleans(),
        effect=st.sampled_from(["step", "measure", "discard"]),
    ),
    st.builds(SaveCheckpoint, st.just(A), st.just(7), NAMES),
    st.builds(Refusal, st.just(A), st.just(7), NAMES, NAMES),
)
RESULTS = st.one_of(
    st.builds(
        ForwardBackwardResult,
        loss_sum=FLOATS,
        logprobs=st.lists(st.lists(FLOATS).map(tuple)).map(tuple),
        metrics=st.dictionaries(NAMES, FLOATS),
        seconds=st.floats(0, 9),
        forward_seconds=st.floats(0, 9),
        backward_seconds=st.floats(0, 9),
        queue_seconds=st.floats(0, 9),
    ),
    st.builds(OptimStepResult, step=st.integers(), grad_norm=st.floats(0, 9), seconds=st.just(0.1)),
    st.builds(CheckpointCopied),
)


@given(OPS)
def test_an_op_comes_back_as_it_was(op: Op) -> None:
    row = json.loads(json.dumps(encode_op(op), allow_nan=True))
    assert decode_op(A, 7, row) == op


def test_numbers_that_json_has_no_word_for_come_back_too() -> None:
    op = ForwardBackward(A, 1, (Example((1,), (2,), (math.nan,), (-math.inf,)),))
    row = json.loads(json.dumps(encode_op(op), allow_nan=False))
    [back] = decode_op(A, 1, row).examples  # type: ignore[union-attr]
    assert math.isnan(back.weights[0])
    assert back.advantages == (-math.inf,)


@given(RESULTS)
def test_a_result_comes_back_as_it_was(
    result: ForwardBackwardResult | OptimStepResult | CheckpointCopied,
) -> None:
    assert decode_outcome(json.loads(json.dumps(encode_outcome(result)))) == result


def test_an_error_comes_back_as_the_exception_it_was() -> None:
    for error in (
        ConflictError("It was cancelled.", "Send it again.", CANCELLED),
        RunFailedError("It failed."),
        TwinkleError("Something else."),
    ):
        back = decode_outcome(json.loads(json.dumps(encode_outcome(error))))
        assert isinstance(back, TwinkleError)
        assert (type(back), back.as_fields()) == (type(error), error.as_fields())


@given(st.builds(AdapterSpec, targets=st.lists(NAMES).map(tuple), alpha=st.floats(0.1, 9)))
def test_a_spec_comes_back_as_it_was(spec: AdapterSpec) -> None:
    assert decode_spec(json.loads(json.dumps(encode_spec(spec)))) == spec
