"""What an op must be before it joins others in a micro-batch, checked before any compute."""

from __future__ import annotations

import math
from collections.abc import Mapping

from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.losses import LOSSES
from twinkle_jupyter.engine.losses.definition import Loss
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.example import Example
from twinkle_jupyter.scheduling.request import ForwardBackward

_WHAT_IT_IS: Mapping[str, str] = {
    "advantages": "how much better each target turned out than expected",
    "sampled_logprobs": "each target's log-probability when it was sampled, or by the reference",
}


def check_forward_backward(op: ForwardBackward, base: BaseModel) -> None:
    """Refuse an op that cannot be computed; the message names the example.

    Raises:
        InvalidConfigError: The loss is not known, or a setting is missing or out of range.
        InvalidDataError: An example is empty, too long, has ids or numbers out of range, or lacks
            what the loss needs.
    """
    loss = LOSSES.get(op.loss)
    if loss is None:
        raise InvalidConfigError(f"loss={op.loss!r} is not one of {', '.join(sorted(LOSSES))}.")
    _check_settings(op.loss, loss, op.loss_settings)
    if not op.examples:
        raise InvalidDataError("There are no examples to compute a loss of.")
    for number, example in enumerate(op.examples, start=1):
        _check_example(example, f"Example {number}", base, scores_all=op.scores_all)
        _check_needs(example, f"Example {number}", op.loss, loss)
    if len(op.examples) % loss.rows_per_unit:
        raise InvalidDataError(
            f"loss={op.loss!r} takes examples in pairs, and there are {len(op.examples)}.",
            "Each chosen answer is followed by its rejected one.",
        )


def _check_settings(name: str, loss: Loss, given: Mapping[str, float]) -> None:
    known = ", ".join(loss.settings) or "none"
    wrong = [
        f"{key} is not a setting of loss={name!r} ({known})"
        for key in given
        if key not in loss.settings
    ]
    complete = loss.complete_settings(given)
    wrong += [f"loss={name!r} needs {key}" for key in loss.settings if key not in complete]
    wrong += [
        f"{key}={complete[key]:g} is not {setting.range}"
        for key, setting in loss.settings.items()
        if key in complete and not setting.allows(complete[key])
    ]
    if not wrong and loss.bounds:
        low, high = loss.bounds
        if complete[low] > complete[high]:
            wrong.append(f"{low}={complete[low]:g} is above {high}={complete[high]:g}")
    if wrong:
        raise InvalidConfigError(f"{'; '.join(wrong)}.")


def _check_example(example: Example, name: str, base: BaseModel, *, scores_all: bool) -> None:
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
    scored = [target for target, weight in pairs if scores_all or weight != 0]
    wrong = _first_outside(scored, base.num_output_tokens)
    if wrong is not None:
        raise InvalidDataError(f"{name} has target id {wrong}, which the base model does not have.")
    if not all(map(math.isfinite, example.weights)):
        raise InvalidDataError(f"{name} has a loss weight that is not a finite number.")


def _check_needs(example: Example, name: str, loss_name: str, loss: Loss) -> None:
    for field, values in (
        ("advantages", example.advantages),
        ("sampled_logprobs", example.sampled_logprobs),
    ):
        if field not in loss.needs:
            continue
        if not values:
            raise InvalidDataError(
                f"{name} has no {field}, which loss={loss_name!r} needs.",
                f"That is one number a token: {_WHAT_IT_IS[field]}.",
            )
        for place, (value, weight) in enumerate(zip(values, example.weights, strict=True)):
            # What carries no weight is not in the loss: samplers put nan at the prompt.
            if weight != 0 and not math.isfinite(value):
                raise InvalidDataError(
                    f"{name} has {field}[{place}]={value}, which is not a finite number."
                )
    if loss.rows_per_unit > 1 and not example.num_supervised:
        raise InvalidDataError(
            f"{name} has no token with a weight, so that there is no answer to compare.",
            "The answer's tokens have weight 1 each.",
        )


def _first_outside(ids: tuple[int, ...] | list[int], size: int) -> int | None:
    if not ids or (min(ids) >= 0 and max(ids) < size):
        return None
    return next(token for token in ids if not 0 <= token < size)
