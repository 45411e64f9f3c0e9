"""What an op must be before it joins others in a micro-batch, checked before any compute."""

from __future__ import annotations

import math

from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.losses import LOSSES
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.example import Example
from twinkle_jupyter.scheduling.request import ForwardBackward


def check_forward_backward(op: ForwardBackward, base: BaseModel) -> None:
    """Refuse an op that the base model cannot compute; the message names the example.

    Raises:
        InvalidConfigError: The loss is not known.
        InvalidDataError: An example is empty, too long, or has ids or weights out of range.
    """
    if op.loss not in LOSSES:
        raise InvalidConfigError(f"loss={op.loss!r} is not one of {', '.join(sorted(LOSSES))}.")
    if not op.examples:
        raise InvalidDataError("There are no examples to compute a loss of.")
    for number, example in enumerate(op.examples, start=1):
        _check_example(example, f"Example {number}", base)


def _check_example(example: Example, name: str, base: BaseModel) -> None:
    if not example.tokens:
        raise InvalidDataError(f"{name} has no tokens.")
    if base.max_positions is not None and example.num_tokens > base.max_positions:
        raise InvalidDataError(
            f"{name} has {example.num_tokens} tokens; the base model reads {base.max_positions}.",
            "Cut it with a smaller max_length.",
        )
    wrong = _first_outside(example.tokens, base.num_input_tokens)
    if wrong is not None:
        raise InvalidDataError(f"{name} has token id {wrong}, which the base model does not have.")
    pairs = zip(example.targets, example.weights, strict=True)
    wrong = _first_outside([t for t, weight in pairs if weight != 0], base.num_output_tokens)
    if wrong is not None:
        raise InvalidDataError(f"{name} has target id {wrong}, which the base model does not have.")
    if not all(map(math.isfinite, example.weights)):
        raise InvalidDataError(f"{name} has a loss weight that is not a finite number.")


def _first_outside(ids: tuple[int, ...] | list[int], size: int) -> int | None:
    if not ids or (min(ids) >= 0 and max(ids) < size):
        return None
    return next(token for token in ids if not 0 <= token < size)
