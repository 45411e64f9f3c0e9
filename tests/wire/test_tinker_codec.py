"""Training data as clients of the Tinker protocol send it, and results as they read them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.example import Example
from twinkle_jupyter.wire.tinker_codec import (
    LossRequest,
    decode_json,
    decode_protobuf,
    encode_loss_output,
)
from twinkle_jupyter.wire.tinker_schema import new_message

TOKENS = (5, 6, 7)
Inputs = Mapping[str, tuple[object, str]]
TARGETS: Inputs = {"target_tokens": ([6, 7, 8], "int64")}
POLICY: Inputs = {
    **TARGETS,
    "logprobs": ([-1.0, -2.0, -0.5], "float32"),
    "advantages": ([0.0, 1.0, -1.0], "float32"),
}
_DTYPES = {"float32": (1, "<f4"), "int64": (2, "<i8"), "int32": (3, "<i4")}


def _protobuf(inputs: Inputs, loss: str = "cross_entropy", **config: float) -> Message:
    message = new_message("ForwardBackwardRequest")
    message.model_id, message.seq_id, message.loss_fn = "m", 3, loss
    datum = message.data.add()
    datum.model_input.add().encoded_text.tokens = np.asarray(TOKENS, "<i4").tobytes()
    for name, (values, dtype) in inputs.items():
        code, kind = _DTYPES[dtype]
        array = np.asarray(values, kind)
        tensor = datum.loss_fn_inputs[name]
        tensor.dtype, tensor.dense = code, array.tobytes()
        tensor.shape.extend(array.shape)
    for name, number in config.items():
        message.loss_fn_config_v2[name].number = number
    return message


def _json(inputs: Inputs, loss: str = "cross_entropy", **config: float) -> JsonValue:
    tensors = {
        name: {
            "data": np.asarray(values).ravel().tolist(),
            "dtype": dtype,
            "shape": np.asarray(values).shape,
        }
        for name, (values, dtype) in inputs.items()
    }
    datum = {"model_input": {"chunks": [{"tokens": TOKENS}]}, "loss_fn_inputs": tensors}
    inner = {"data": [datum], "loss_fn": loss, "loss_fn_config": config or None}
    body = {"model_id": "m", "seq_id": 3, "forward_backward_input": inner}
    return cast("JsonValue", json.loads(json.dumps(body)))


def _decode_both(inputs: Inputs, loss: str = "cross_entropy", **config: float) -> LossRequest:
    one = decode_protobuf(_protobuf(inputs, loss, **config).SerializeToString())
    other = decode_json(_json(inputs, loss, **config), forward_only=False)
    assert one == other
    return one


def test_both_forms_are_the_same_examples() -> None:
    weights = {**TARGETS, "weights": ([0.0, -0.5, 2.0], "float32")}
    assert _decode_both(weights).examples == (Example(TOKENS, (6, 7, 8), (0.0, -0.5, 2.0)),)
    # Without weights every token counts.
    assert _decode_both(TARGETS).examples == (Example(TOKENS, (6, 7, 8), (1.0, 1.0, 1.0)),)
    policy = _decode_both(POLICY, "ppo", clip_low_threshold=0.75)
    assert policy.loss_settings == {"clip_low_threshold": 0.75}
    assert policy.examples[0].advantages == (0.0, 1.0, -1.0)
    assert policy.examples[0].sampled_logprobs == (-1.0, -2.0, -0.5)


def test_several_targets_a_position_are_an_example_each() -> None:
    targets = [[6, 1], [7, 2], [8, 3]]
    weights = [[1.0, 0.0], [1.0, 0.5], [0.0, 0.25]]
    read = _decode_both({"target_tokens": (targets, "int64"), "weights": (weights, "float32")})
    assert read.num_targets == 2
    assert read.examples == (
        Example(TOKENS, (6, 7, 8), (1.0, 1.0, 0.0)),
        Example(TOKENS, (1, 2, 3), (0.0, 0.5, 0.25)),
    )


@pytest.mark.parametrize(
    ("inputs", "loss", "told"),
    [
        (TARGETS, "gspo", "loss_fn='gspo' is not one of"),
        (TARGETS, "ppo", "data[0] has no loss_fn_inputs['logprobs'], which ppo needs"),
        ({}, "cross_entropy", "data[0] has no loss_fn_inputs['target_tokens']"),
        ({**TARGETS, "mask": ([1, 1, 1], "int64")}, "cross_entropy", "loss_fn_inputs['mask']"),
        ({"target_tokens": ([6, 7], "int64")}, "cross_entropy", "3 tokens, and"),
        (
            {**TARGETS, "weights": ([[1.0], [1.0], [1.0]], "float32")},
            "cross_entropy",
            "loss_fn_inputs['weights'] of shape [3, 1]",
        ),
        ({"target_tokens": ([[6] * 65] * 3, "int64")}, "cross_entropy", "65 targets a position"),
    ],
)
def test_what_cannot_be_trained_on_says_where(inputs: Inputs, loss: str, told: str) -> None:
    read = _decode_both(inputs, loss)
    assert told in read.problem
    assert (read.model_id, read.seq_id, read.examples) == ("m", 3, ())


def _image(message: Message) -> None:
    message.data[0].model_input.add().image.data = b"png"


def _half_a_number(message: Message) -> None:
    message.data[0].loss_fn_inputs["target_tokens"].dense = b"123"


def _wrong_shape(message: Message) -> None:
    message.data[0].loss_fn_inputs["target_tokens"].shape[0] = 4


def _vast_shape(message: Message) -> None:
    # Their product is 0 in 64 bits.
    message.data[0].loss_fn_inputs["target_tokens"].dense = b""
    message.data[0].loss_fn_inputs["target_tokens"].shape[:] = [2**32, 2**32]


def _bfloat16(message: Message) -> None:
    message.data[0].loss_fn_inputs["target_tokens"].dtype = 4


def _text_setting(message: Message) -> None:
    message.loss_fn_config_v2["loss_id"].text = "mine"


def _sparse_beyond(message: Message) -> None:
    tensor = message.data[0].loss_fn_inputs["target_tokens"]
    tensor.sparse_csr.values = np.asarray([6], "<i8").tobytes()
    tensor.sparse_csr.crow_indices = np.asarray([0, 0, 0, 1], "<i8").tobytes()
    tensor.sparse_csr.col_indices = np.asarray([2], "<i8").tobytes()
    tensor.shape[:] = [3, 2]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_image, "data[0] has a chunk of image"),
        (_half_a_number, "has 3 bytes"),
        (_wrong_shape, "has 3 numbers for shape [4]"),
        (_vast_shape, "has 0 numbers for shape [4294967296, 4294967296]"),
        (_bfloat16, "is bfloat16"),
        (_text_setting, "loss_fn_config['loss_id'] is a text"),
        (_sparse_beyond, "is not a sparse matrix of shape [3, 2]"),
    ],
)
def test_what_no_client_should_send_is_refused_in_its_turn(
    spoil: Callable[[Message], None], told: str
) -> None:
    message = _protobuf(TARGETS)
    spoil(message)
    read = decode_protobuf(message.SerializeToString())
    assert told in read.problem
    assert read.seq_id == 3


def test_a_sparse_matrix_is_what_it_stands_for() -> None:
    message = _protobuf({"target_tokens": ([[6, 0], [7, 0], [8, 0]], "int64")})
    weights = message.data[0].loss_fn_inputs["weights"]
    weights.dtype = 1
    weights.shape.extend([3, 2])
    weights.sparse_csr.values = np.asarray([0.5, 0.25], "<f4").tobytes()
    weights.sparse_csr.crow_indices = np.asarray([0, 1, 1, 2], "<i8").tobytes()
    weights.sparse_csr.col_indices = np.asarray([0, 1], "<i8").tobytes()
    read = decode_protobuf(message.SerializeToString())
    assert [example.weights for example in read.examples] == [(0.5, 0.0, 0.0), (0.0, 0.0, 0.25)]


@pytest.mark.parametrize(
    "harm",
    [
        {"data": [1e300, 7, 8]},
        {"data": [-1e300, 7, 8], "dtype": "float32"},
        {"shape": [2**70]},
        {"shape": [-1]},
        {"sparse_crow_indices": [0, 10**30]},
        {"sparse_crow_indices": [0, 0, 0, 1], "sparse_col_indices": [-(2**63)]},
    ],
)
def test_numbers_that_no_tensor_has_are_refused_in_their_turn(harm: dict[str, object]) -> None:
    body = cast("Any", _json(TARGETS))
    body["forward_backward_input"]["data"][0]["loss_fn_inputs"]["target_tokens"] |= harm
    read = decode_json(body, forward_only=False)
    assert "data[0].loss_fn_inputs['target_tokens']" in read.problem
    assert read.seq_id == 3


@given(st.binary(max_size=60))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidDataError):
        assert decode_protobuf(body).seq_id is not None


def test_results_of_unequal_lengths_and_of_several_targets() -> None:
    metrics = {"loss:sum": 3.5}
    message = new_message("ForwardBackwardOutput")
    encoded = encode_loss_output([[-1.0, -2.0], [-3.0]], metrics, 1, as_protobuf=True)
    message.ParseFromString(encoded)
    field = message.loss_fn_outputs[0].fields["logprobs"]
    assert np.frombuffer(field.data, "<f4").tolist() == [-1.0, -2.0, -3.0]
    assert np.frombuffer(field.offsets, "<i8").tolist() == [0, 8, 12]
    assert (message.loss_fn_outputs[0].num_datums, dict(message.metrics)) == (2, metrics)

    wide = encode_loss_output([[-1.0, -2.0], [-3.0, -4.0]], metrics, 2, as_protobuf=False)
    tensor = json.loads(wide)["loss_fn_outputs"][0]["logprobs"]
    assert tensor == {"data": [-1.0, -3.0, -2.0, -4.0], "dtype": "float32", "shape": [2, 2]}
