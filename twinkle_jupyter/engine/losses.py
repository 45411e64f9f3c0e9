"""Losses over supervised positions, summed by row. Never averaged: that is the caller's choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class LossInputs:
    """The supervised positions of some rows, one after another (N of them)."""

    #: (N,) log-probability of each target, natural log, with gradient.
    logprobs: Tensor
    #: (N,) loss weights: real, negative too.
    weights: Tensor
    #: (N,) which row each position is of.
    rows: Tensor
    #: B
    num_rows: int

    def sum_by_row(self, values: Tensor) -> Tensor:
        """Add up (N,) values to (B,)."""
        return values.new_zeros(self.num_rows).index_add(0, self.rows, values)


def cross_entropy_loss(inputs: LossInputs) -> Tensor:
    """Weighted negative log-likelihood of the targets.

    Returns:
        (B,) loss of each row.
    """
    return -inputs.sum_by_row(inputs.weights * inputs.logprobs)


Loss: TypeAlias = Callable[[LossInputs], Tensor]
#: Every loss by the name that `ForwardBackward.loss` gives it.
LOSSES: Mapping[str, Loss] = MappingProxyType({"cross_entropy": cross_entropy_loss})
