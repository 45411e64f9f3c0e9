"""Training data and results of the Tinker protocol: protobuf or JSON, to and from `Example`.

Clients since 0.25 send and read protobuf; older ones send JSON and read either. Positions are
already shifted: `target_tokens[i]` is to be predicted after `model_input[i]`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from google.protobuf.message import DecodeError, Message
from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.example import Example
from twinkle_jupyter.wire.tinker_bodies import DatumBody, PassBody
from twinkle_jupyter.wire.tinker_schema import new_message
from twinkle_jupyter.wire.tinker_tensors import (
    FLOAT32,
    MAX_TARGETS,
    Array,
    from_bytes,
    read_json_tensor,
    read_tensor,
)

PROTOBUF = "application/x-protobuf"
#: Losses of the protocol that there are here, and what each reads beside targets and weights.
LOSS_INPUTS: Mapping[str, tuple[str, ...]] = {
    "cross_entropy": (),
    "importance_sampling": ("logprobs", "advantages"),
    "ppo": ("logprobs", "advantages"),
    "cispo": ("logprobs", "advantages"),
    "dro": ("logprobs", "advantages"),
}


@dataclass(frozen=True, slots=True)
class LossRequest:
    """A `forward_backward`, or why it is none: its sequence id is spent in either case."""

    model_id: str
    seq_id: int
    examples: tuple[Example, ...] = ()
    loss: str = "cross_entropy"
    loss_settings: Mapping[str, float] = field(default_factory=dict)
    forward_only: bool = False
    #: Targets of each position: a datum of several is as many examples, one after another.
    num_targets: int = 1
    #: One sentence; empty for what can be carried out.
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Datum:
    tokens: tuple[int, ...]
    inputs: Mapping[str, Array]


def decode_protobuf(body: bytes) -> LossRequest:
    """Read a `ForwardBackwardRequest`.

    Raises:
        InvalidDataError: It is no such message.
    """
    message = new_message("ForwardBackwardRequest")
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise InvalidDataError("The body is not a ForwardBackwardRequest.") from error
    settings: dict[str, float] = dict(message.loss_fn_config)
    problem = ""
    for name, value in message.loss_fn_config_v2.items():
        if value.WhichOneof("value") == "text":
            problem = f"loss_fn_config[{name!r}] is a text; losses here take numbers."
        else:
            settings[name] = value.number
    try:
        data = [_read_datum(index, datum) for index, datum in enumerate(message.data)]
    except InvalidDataError as error:
        problem, data = problem or error.message, []
    return _build(
        (message.model_id, message.seq_id),
        data,
        message.loss_fn,
        settings,
        forward_only=message.forward_only,
        problem=problem,
    )


def decode_json(body: JsonValue, *, forward_only: bool) -> LossRequest:
    """Read the body, parsed, of `forward_backward` or `forward`, as clients before 0.25 send it.

    Raises:
        ValidationError: It is no such body.
    """
    content = PassBody.model_validate(body)
    inner, ids = content.loss_input, (content.model_id, content.seq_id)
    try:
        data = [_read_json_datum(index, datum) for index, datum in enumerate(inner.data)]
    except InvalidDataError as error:
        return LossRequest(*ids, problem=error.message)
    settings = inner.loss_fn_config or {}
    return _build(ids, data, inner.loss_fn, settings, forward_only=forward_only, problem="")


def encode_loss_output(
    logprobs: Sequence[Sequence[float]],
    metrics: Mapping[str, float],
    num_targets: int,
    *,
    as_protobuf: bool,
) -> bytes:
    """Write a `ForwardBackwardOutput`.

    Args:
        logprobs: One row an example, (N,).
        metrics: Each named `name:reduction`.
        num_targets: Examples of one datum; its log-probabilities are (N, num_targets) if above 1.
        as_protobuf: Else it is JSON.
    """
    rows = [np.asarray(row, "<f4") for row in logprobs]
    if num_targets > 1:
        starts = range(0, len(rows), num_targets)
        rows = [np.stack(rows[start : start + num_targets], axis=1) for start in starts]
    if not as_protobuf:
        outputs = [
            {"logprobs": {"data": row.ravel().tolist(), "dtype": "float32", "shape": row.shape}}
            for row in rows
        ]
        content = {
            "type": "forward_backward",
            "loss_fn_output_type": "ArrayRecord",
            "loss_fn_outputs": outputs,
            "metrics": dict(metrics),
        }
        return json.dumps(content).encode()
    message = new_message("ForwardBackwardOutput")
    message.loss_fn_output_type = "ArrayRecord"
    message.metrics.update(metrics)
    record = message.loss_fn_outputs.add()
    record.type_tag, record.num_datums = "ArrayRecord", len(rows)
    field = record.fields["logprobs"]
    field.data = b"".join(row.tobytes() for row in rows)
    field.offsets = np.cumsum([0, *(row.nbytes for row in rows)]).astype("<i8").tobytes()
    field.dtype = FLOAT32
    field.trailing_shape.extend([num_targets] if num_targets > 1 else [])
    return cast("bytes", message.SerializeToString())


def _build(
    ids: tuple[str, int],
    data: Sequence[_Datum],
    loss: str,
    settings: Mapping[str, float],
    *,
    forward_only: bool,
    problem: str,
) -> LossRequest:
    if not problem and loss not in LOSS_INPUTS:
        problem = f"loss_fn={loss!r} is not one of {', '.join(LOSS_INPUTS)}."
    widths = {_width(datum) for datum in data}
    if not problem and len(widths) > 1:
        problem = "Data of one request have equally many targets a position."
    if problem:
        return LossRequest(*ids, problem=problem)
    width = widths.pop() if widths else 1
    try:
        examples = [
            example
            for index, datum in enumerate(data)
            for example in _to_examples(f"data[{index}]", datum, loss, width)
        ]
    except InvalidDataError as error:
        return LossRequest(*ids, problem=error.message)
    return LossRequest(*ids, tuple(examples), loss, settings, forward_only, width)


def _width(datum: _Datum) -> int:
    targets = datum.inputs.get("target_tokens")
    return targets.shape[1] if targets is not None and targets.ndim == 2 else 1


def _to_examples(name: str, datum: _Datum, loss: str, width: int) -> list[Example]:
    """Make an example of each column of the targets.

    Raises:
        InvalidDataError: Something is missing, too much or of the wrong shape.
    """
    known = ("target_tokens", "weights", *LOSS_INPUTS[loss])
    unknown = sorted(datum.inputs.keys() - set(known))
    if unknown:
        raise InvalidDataError(
            f"{name} has loss_fn_inputs[{unknown[0]!r}], which {loss} does not read; it reads"
            f" {', '.join(known)}."
        )
    for key in ("target_tokens", *LOSS_INPUTS[loss]):
        if key not in datum.inputs:
            raise InvalidDataError(f"{name} has no loss_fn_inputs[{key!r}], which {loss} needs.")
    if width > MAX_TARGETS:
        raise InvalidDataError(f"{name} has {width} targets a position; {MAX_TARGETS} may be.")
    if width > 1 and loss != "cross_entropy":
        raise InvalidDataError(f"{name} has several targets a position, which {loss} cannot read.")
    length = len(datum.tokens)
    shape = datum.inputs["target_tokens"].shape
    weights = datum.inputs.get("weights", np.ones(shape, "<f4"))
    columns = {"weights": weights, **{k: v for k, v in datum.inputs.items() if k != "weights"}}
    for key, value in columns.items():
        if value.shape != shape or value.shape[0] != length:
            raise InvalidDataError(
                f"{name} has {length} tokens, and loss_fn_inputs[{key!r}] of shape"
                f" {list(value.shape)}."
            )
    return [_to_example(datum.tokens, columns, column) for column in range(width)]


def _to_example(tokens: tuple[int, ...], columns: Mapping[str, Array], column: int) -> Example:
    def pick(key: str) -> tuple[float, ...]:
        value = columns.get(key)
        if value is None:
            return ()
        return tuple((value if value.ndim == 1 else value[:, column]).tolist())

    return Example(
        tokens,
        tuple(map(int, pick("target_tokens"))),
        pick("weights"),
        advantages=pick("advantages"),
        sampled_logprobs=pick("logprobs"),
    )


def _read_datum(index: int, datum: Message) -> _Datum:
    name = f"data[{index}]"
    tokens: list[int] = []
    for chunk in datum.model_input:
        kind = chunk.WhichOneof("kind")
        if kind != "encoded_text":
            raise InvalidDataError(f"{name} has a chunk of {kind}; base models here read text.")
        tokens += from_bytes(chunk.encoded_text.tokens, "<i4", f"{name}.model_input").tolist()
    inputs = {
        key: read_tensor(tensor, f"{name}.loss_fn_inputs[{key!r}]")
        for key, tensor in datum.loss_fn_inputs.items()
    }
    return _Datum(tuple(tokens), inputs)


def _read_json_datum(index: int, datum: DatumBody) -> _Datum:
    name = f"data[{index}]"
    tokens: list[int] = []
    for chunk in datum.model_input.chunks:
        if chunk.type != "encoded_text":
            raise InvalidDataError(
                f"{name} has a chunk of {chunk.type}; base models here read text."
            )
        tokens += chunk.tokens
    inputs = {
        key: read_json_tensor(tensor, f"{name}.loss_fn_inputs[{key!r}]")
        for key, tensor in datum.loss_fn_inputs.items()
    }
    return _Datum(tuple(tokens), inputs)
