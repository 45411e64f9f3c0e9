"""What a loss is: what it is told, what it answers, and what must hold before it is called."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class LossInputs:
    """The supervised positions of the rows that share a loss and its settings, N of them.

    Only they are here: another loss's position could bring a nan that a weight of 0 keeps.
    """

    #: (N,) log-probability of each target, natural log, with gradient.
    logprobs: Tensor
    #: (N,) loss weights: real, negative too, never 0.
    weights: Tensor
    #: (N,) which row of the micro-batch each position is of.
    rows: Tensor
    #: Rows of the micro-batch, B; those of other losses have no position here.
    num_rows: int
    #: One tuple a unit: its rows, `Loss.rows_per_unit` of them, in the examples' order.
    units: tuple[tuple[int, ...], ...]
    #: Every setting of the loss.
    settings: Mapping[str, float]
    #: (N,) each; 0 where the example has none, which `Loss.needs` rules out.
    advantages: Tensor
    sampled_logprobs: Tensor

    def sum_by_row(self, values: Tensor) -> Tensor:
        """Add up (N,) values to (B,)."""
        return values.new_zeros(self.num_rows).index_add(0, self.rows, values)


@dataclass(frozen=True, slots=True, eq=False)
class LossValue:
    """What a loss answers; 0 in rows that are not its own."""

    #: (B,) with gradient.
    losses: Tensor
    #: By name, (B,) sum over the row, without gradient.
    metric_sums: Mapping[str, Tensor] = field(default_factory=dict)
    #: (B,) how many numbers are in each of these sums; None where there are none.
    metric_counts: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A number that a loss can be told."""

    #: None when it must be given.
    default: float | None
    low: float = 0.0
    high: float = math.inf
    #: Whether `low` itself is in the range.
    includes_low: bool = True

    def allows(self, value: float) -> bool:
        """Tell whether the loss is defined with this value."""
        is_above = value >= self.low if self.includes_low else value > self.low
        return math.isfinite(value) and is_above and value <= self.high

    @property
    def range(self) -> str:
        """Say in words which values are allowed."""
        words = f"{'at least' if self.includes_low else 'above'} {self.low:g}"
        return words if math.isinf(self.high) else f"{words} and at most {self.high:g}"


ComputeLoss: TypeAlias = Callable[[LossInputs], LossValue]


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss."""

    compute: ComputeLoss
    settings: Mapping[str, Setting] = field(default_factory=dict)
    #: Two settings, the first of which may not be above the second; or empty.
    bounds: tuple[str, ...] = ()
    #: Fields of `Example` that have to be filled.
    needs: tuple[str, ...] = ()
    #: Adjacent examples of an op that are one thing to this loss: they share a micro-batch.
    rows_per_unit: int = 1

    def complete_settings(self, given: Mapping[str, float]) -> dict[str, float]:
        """Fill in defaults for what is not given."""
        defaults = {
            name: setting.default
            for name, setting in self.settings.items()
            if setting.default is not None
        }
        return {**defaults, **given}
