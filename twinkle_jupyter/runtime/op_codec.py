"""Ops and their outcomes as JSON, exactly: what comes back equals what went in, bit by bit.

Numbers of a row go as packed bytes, since a journal holds many of them; floats as IEEE doubles, so
that even what JSON has no word for stays what it was.
"""

from __future__ import annotations

import base64
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import asdict
from typing import cast

from twinkle_jupyter.errors import InvalidDataError, TwinkleError, error_from_fields
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.events import Outcome
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
    StepEffect,
)
from twinkle_jupyter.store.interface import JSON, Row

#: zlib's fastest level: loss weights and masks shrink to almost nothing at any.
_LEVEL = 1
_INTS, _FLOATS = "q", "d"


def encode_op(op: Op) -> Row:
    """Return the op as JSON, its ids left out.

    Raises:
        InvalidDataError: A row holds a number that no 64 bits can.
    """
    match op:
        case ForwardBackward():
            return {
                "kind": "forward_backward",
                "examples": [_encode_example(example) for example in op.examples],
                "loss": op.loss,
                "loss_settings": {name: value.hex() for name, value in op.loss_settings.items()},
                "forward_only": op.forward_only,
                "scores_all": op.scores_all,
            }
        case OptimStep():
            numbers: dict[str, float] = asdict(op.settings)
            return {
                "kind": "optim_step",
                "settings": {name: float(value).hex() for name, value in numbers.items()},
                "needs_gradient": op.needs_gradient,
                "effect": op.effect,
            }
        case SaveCheckpoint():
            row = {"kind": "save_checkpoint", "folder": op.folder}
            return {**row, "weights_only": True} if op.weights_only else row
        case Refusal():
            return {"kind": "refusal", "message": op.message, "hint": op.hint}


def decode_op(adapter_id: AdapterId, sequence_id: int, row: Row) -> Op:
    """Rebuild what `encode_op` was given."""
    match row["kind"]:
        case "forward_backward":
            return ForwardBackward(
                adapter_id,
                sequence_id,
                tuple(_decode_example(one) for one in cast("Sequence[Row]", row["examples"])),
                loss=cast("str", row["loss"]),
                loss_settings={
                    name: float.fromhex(value)
                    for name, value in cast("dict[str, str]", row["loss_settings"]).items()
                },
                forward_only=cast("bool", row["forward_only"]),
                # A journal of an earlier version does not say.
                scores_all=cast("bool", row.get("scores_all", False)),
            )
        case "optim_step":
            hexes = cast("dict[str, str]", row["settings"])
            settings = {name: float.fromhex(value) for name, value in hexes.items()}
            needs = cast("bool", row.get("needs_gradient", True))
            effect = cast("StepEffect", row.get("effect", "step"))
            return OptimStep(adapter_id, sequence_id, AdamWSettings(**settings), needs, effect)
        case "save_checkpoint":
            folder, alone = cast("str", row["folder"]), cast("bool", row.get("weights_only", False))
            return SaveCheckpoint(adapter_id, sequence_id, folder, alone)
        case "refusal":
            message, hint = cast("str", row["message"]), cast("str", row["hint"])
            return Refusal(adapter_id, sequence_id, message, hint)
        case kind:
            raise ValueError(f"a journal has an op of kind {kind!r}")


def encode_outcome(outcome: Outcome) -> Row:
    """Return a result or an error as JSON."""
    match outcome:
        case TwinkleError():
            return {"kind": "error", **outcome.as_fields()}
        case ForwardBackwardResult():
            fields = asdict(outcome)
            return {
                "kind": "forward_backward",
                **fields,
                "logprobs": [_pack(_FLOATS, row) for row in outcome.logprobs],
                "loss_sum": outcome.loss_sum.hex(),
                "metrics": {name: value.hex() for name, value in outcome.metrics.items()},
            }
        case OptimStepResult():
            return {"kind": "optim_step", **cast("Row", asdict(outcome))}
        case CheckpointCopied():
            return {"kind": "save_checkpoint", **cast("Row", asdict(outcome))}
        case _:
            raise ValueError(f"{type(outcome).__name__} is no outcome of a plan")


def decode_outcome(row: Row) -> Outcome:
    """Rebuild what `encode_outcome` was given."""
    fields = {name: value for name, value in row.items() if name != "kind"}
    match row["kind"]:
        case "error":
            return error_from_fields(cast("dict[str, str]", fields))
        case "forward_backward":
            packed = cast("Sequence[Row]", fields["logprobs"])
            metrics = cast("dict[str, str]", fields["metrics"])
            decoded: dict[str, object] = {
                **fields,
                "logprobs": tuple(_unpack_floats(row) for row in packed),
                "loss_sum": float.fromhex(cast("str", fields["loss_sum"])),
                "metrics": {name: float.fromhex(value) for name, value in metrics.items()},
            }
            return ForwardBackwardResult(**decoded)  # type: ignore[arg-type]
        case "optim_step":
            return OptimStepResult(**fields)  # type: ignore[arg-type]
        case "save_checkpoint":
            return CheckpointCopied(**fields)  # type: ignore[arg-type]
        case kind:
            raise ValueError(f"a journal has an outcome of kind {kind!r}")


def encode_spec(spec: AdapterSpec) -> Row:
    """Return the spec as JSON."""
    return cast("Row", asdict(spec))


def decode_spec(row: Row) -> AdapterSpec:
    """Rebuild what `encode_spec` was given."""
    fields: dict[str, object] = {**row, "targets": tuple(cast("Sequence[str]", row["targets"]))}
    return AdapterSpec(**fields)  # type: ignore[arg-type]


def _encode_example(example: Example) -> JSON:
    return {
        "tokens": _pack(_INTS, example.tokens),
        "targets": _pack(_INTS, example.targets),
        "weights": _pack(_FLOATS, example.weights),
        "advantages": _pack(_FLOATS, example.advantages),
        "sampled_logprobs": _pack(_FLOATS, example.sampled_logprobs),
    }


def _decode_example(row: Row) -> Example:
    return Example(
        tokens=_unpack_ints(row["tokens"]),
        targets=_unpack_ints(row["targets"]),
        weights=_unpack_floats(row["weights"]),
        advantages=_unpack_floats(row["advantages"]),
        sampled_logprobs=_unpack_floats(row["sampled_logprobs"]),
    )


def _pack(code: str, numbers: Sequence[float]) -> str:
    """Return the numbers' bytes, compressed, in base64; nothing for none."""
    if not numbers:
        return ""
    try:
        packed = array(code, numbers).tobytes()
    except (OverflowError, TypeError) as error:
        raise InvalidDataError(f"A row holds a number that is out of range: {error}.") from error
    return base64.b64encode(zlib.compress(packed, _LEVEL)).decode("ascii")


def _unpack_ints(packed: JSON) -> tuple[int, ...]:
    return tuple(array(_INTS, _bytes_of(packed)))


def _unpack_floats(packed: JSON) -> tuple[float, ...]:
    return tuple(array(_FLOATS, _bytes_of(packed)))


def _bytes_of(packed: JSON) -> bytes:
    text = cast("str", packed)
    return zlib.decompress(base64.b64decode(text)) if text else b""
