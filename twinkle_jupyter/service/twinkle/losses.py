"""The protocol's losses as ours: which one, with which settings, and how it is averaged.

Ours are sums over positions; a mean is a sum with weights. Where a client gives no probabilities
of the time of sampling, each ratio is 1 and the policy losses have the gradient of plain cross
entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.example import Example
from twinkle_jupyter.service.twinkle.class_names import find_class, refuse_others
from twinkle_jupyter.service.twinkle.inputs import IGNORED, TokenRow
from twinkle_jupyter.service.twinkle.row_values import align

Arguments = Mapping[str, JsonValue]
#: What a pass may be told that no loss reads.
OF_A_PASS: Mapping[str, object] = {
    "temperature": 1,
    "return_logits": False,
    "task": "causal_lm",
    "gradient_accumulation_steps": ...,
}


@dataclass(frozen=True, slots=True)
class LossPlan:
    """What the trainer is asked for."""

    examples: tuple[Example, ...]
    loss: str = "cross_entropy"
    settings: Mapping[str, float] = field(default_factory=dict)
    #: What the trainer's sum is divided by to be the loss.
    num_units: float = 1.0
    #: What the gradient of the loss is divided by before it is clipped, one pass a summand.
    denominator: float = 1.0
    #: The loss where the trainer's number is not it.
    value: float | None = None
    has_gradient: bool = True
    #: Whether `denominator` counts tokens.
    is_sum: bool = False


def _cross_entropy(rows: Sequence[TokenRow], settings: Arguments, _: Arguments) -> LossPlan:
    count = sum(len(row.places) for row in rows)
    if settings.get("reduction", "mean") == "sum":
        return LossPlan(weigh(rows, [1.0] * len(rows)), denominator=max(count, 1), is_sum=True)
    return LossPlan(weigh(rows, [1.0 / max(count, 1)] * len(rows)))


def _policy(rows: Sequence[TokenRow], settings: Arguments, given: Arguments, kind: str) -> LossPlan:
    advantages = given.get("advantages")
    weights = _row_weights(rows, settings, given, kind)
    if advantages is None:
        return LossPlan(weigh(rows, weights), value=0.0, has_gradient=False)
    gains = align(advantages, rows, "advantages")
    old = given.get("old_logps")
    low, high = _number(settings, "epsilon", 0.2), settings.get("epsilon_high")
    high = low if high is None else high
    if old is None:
        # r = 1: the gradient of -r A is that of -A logp.
        examples = weigh(rows, weights, scale=gains)
        total = sum(
            -weight * gain[place]
            for row, weight, gain in zip(rows, weights, gains, strict=True)
            for place in row.places
        )
        return LossPlan(examples, value=None if kind == "CISPOLoss" else total)
    examples = weigh(rows, weights, advantages=gains, sampled=align(old, rows, "old_logps"))
    floor = 0.0 if kind == "CISPOLoss" else 1.0 - low
    bounds = {"clip_low_threshold": floor, "clip_high_threshold": 1.0 + cast("float", high)}
    return LossPlan(examples, "cispo" if kind == "CISPOLoss" else "ppo", bounds)


def _row_weights(
    rows: Sequence[TokenRow], settings: Arguments, given: Arguments, kind: str
) -> list[float]:
    """Return by how much each row's positions count."""
    counts = [len(row.places) for row in rows]
    total = max(sum(counts), 1)
    if kind == "GRPOLoss" or settings.get("loss_agg_mode") == "seq-mean-token-mean":
        return [1.0 / (max(count, 1) * len(rows)) for count in counts]
    if kind == "DRGRPOLoss":
        longest = _number(settings, "max_completion_length", 1024)
        return [1.0 / (len(rows) * longest)] * len(rows)
    if kind == "CISPOLoss":
        total = max(_number(given, "num_items_in_batch", total), 1)  # type: ignore[assignment]
    return [1.0 / total] * len(rows)


def _dpo(rows: Sequence[TokenRow], settings: Arguments, given: Arguments) -> LossPlan:
    reference = given.get("ref_logps")
    outputs = given.get("ref_outputs")
    if reference is None and isinstance(outputs, dict):
        reference = outputs.get("logps")
    ones = [1.0] * len(rows)
    if settings.get("reference_free"):
        sampled = [(0.0,) * len(row.tokens) for row in rows]
    elif reference is None:
        return LossPlan(weigh(rows, ones), value=0.0, has_gradient=False)
    else:
        sampled = align(reference, rows, "ref_logps")
    numbers = {
        "beta": _number(settings, "beta", 0.1),
        "label_smoothing": _number(settings, "label_smoothing", 0.0),
    }
    if sft_weight := _number(settings, "sft_weight", 0.0):
        # A mean over the labels of all chosen rows there, a sum over a pair's own here.
        num_chosen = sum(len(row.places) for row in rows[0::2])
        numbers["sft_weight"] = sft_weight * len(rows) / 2 / max(num_chosen, 1)
    return LossPlan(weigh(rows, ones, sampled=sampled), "dpo", numbers, num_units=len(rows) / 2)


@dataclass(frozen=True, slots=True)
class _Loss:
    plan: Callable[[Sequence[TokenRow], Arguments, Arguments], LossPlan]
    #: Arguments of its making, and those values that are there.
    settings: Mapping[str, object]
    #: Arguments of each pass.
    needs: tuple[str, ...] = ()


def _make_policy(kind: str, **more: object) -> _Loss:
    settings = {
        "epsilon": ...,
        "epsilon_high": ...,
        "beta": 0,
        "entropy_coef": 0,
        "ignore_index": IGNORED,
        **more,
    }
    needs = ("advantages", "old_logps", "ref_logps", "num_items_in_batch")
    return _Loss(lambda rows, made, given: _policy(rows, made, given, kind), settings, needs)


_ENTROPY = _Loss(
    _cross_entropy, {"reduction": ("mean", "sum"), "ignore_index": IGNORED, "dft": False}
)
_MODES = ("token-mean", "seq-mean-token-mean")
_DPO = _Loss(
    _dpo,
    {
        "beta": ...,
        "label_smoothing": ...,
        "loss_type": "sigmoid",
        "sft_weight": ...,
        "reference_free": ...,
        "ignore_index": IGNORED,
    },
    ("ref_logps", "ref_outputs"),
)
#: By the names of classes, and by the short ones that there are for them.
LOSSES: Mapping[str, _Loss] = {
    "CrossEntropyLoss": _ENTROPY,
    "ChunkedCrossEntropyLoss": _ENTROPY,
    "GRPOLoss": _make_policy("GRPOLoss"),
    "PPOLoss": _make_policy("PPOLoss", loss_agg_mode=_MODES),
    "BNPOLoss": _make_policy("BNPOLoss"),
    "CISPOLoss": _make_policy("CISPOLoss"),
    "DRGRPOLoss": _make_policy("DRGRPOLoss", max_completion_length=...),
    "DPOLoss": _DPO,
}
_SHORT = {
    "cross_entropy": "CrossEntropyLoss",
    "chunked_cross_entropy": "ChunkedCrossEntropyLoss",
    "grpo": "GRPOLoss",
    "ppo": "PPOLoss",
    "bnpo": "BNPOLoss",
    "cispo": "CISPOLoss",
    "dr_grpo": "DRGRPOLoss",
    "dpo": "DPOLoss",
}


def read_loss(name: str, settings: Arguments) -> str:
    """Return the loss's whole name; raises InvalidConfigError for what is not there."""
    name = _SHORT.get(name, name)
    refuse_others(settings, find_class(LOSSES, name, "loss_cls").settings, name)
    return name


def plan_loss(
    name: str, settings: Mapping[str, object], rows: Sequence[TokenRow], given: Arguments
) -> LossPlan:
    """Return what is to be computed of these rows.

    Raises:
        InvalidConfigError: An argument has no meaning here.
        InvalidDataError: Nothing is to be learned, or what goes with the rows does not fit them.
    """
    loss = LOSSES[name]
    refuse_others(given, {**OF_A_PASS, **dict.fromkeys(loss.needs, ...)}, f"A pass of {name}")
    if not any(row.places for row in rows):
        raise InvalidDataError(
            "No position of inputs has a label.", "labels[i] is the token after input_ids[i]."
        )
    return loss.plan(rows, cast("Arguments", settings), given)


def weigh(
    rows: Sequence[TokenRow],
    weights: Sequence[float],
    *,
    scale: Sequence[Sequence[float]] | None = None,
    advantages: Sequence[tuple[float, ...]] | None = None,
    sampled: Sequence[tuple[float, ...]] | None = None,
) -> tuple[Example, ...]:
    """Return an example a row, in which each learned position has the row's weight."""
    return tuple(
        Example(
            row.tokens,
            tuple(max(label, 0) for label in row.labels),
            tuple(
                0.0 if label == IGNORED else weights[i] * (scale[i][place] if scale else 1.0)
                for place, label in enumerate(row.labels)
            ),
            advantages[i] if advantages else (),
            sampled[i] if sampled else (),
        )
        for i, row in enumerate(rows)
    )


def _number(values: Arguments, name: str, default: float) -> float:
    value = values.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidDataError(f"{name}={value!r} is not a number.")
    return float(value)
