"""A frozen linear layer in a model, with the adapters of the pass under way beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor, nn


class Factors(NamedTuple):
    """One adapter's part in one linear layer."""

    #: (R, I)
    down: Tensor
    #: (O, R)
    up: Tensor


class ActiveAdapters(Protocol):
    """What a pass does at a wrapped layer."""

    def apply(self, linear: LoraLinear, x: Tensor) -> Tensor:
        """Map (B, T, I) to (B, T, O), adapters included."""
        ...


class AdapterRouter:
    """What all wrapped layers of one model look at: the adapters of the pass under way."""

    def __init__(self) -> None:
        self.active: ActiveAdapters | None = None

    @contextmanager
    def activate(self, adapters: ActiveAdapters | None) -> Iterator[None]:
        """Apply these adapters in every forward inside the block; None is the base model."""
        self.active = adapters
        try:
            yield
        finally:
            self.active = None


class LoraLinear(nn.Module):
    """Stands in the place of a frozen `nn.Linear`.

    Args:
        frozen: The layer it replaces.
        index: Its place among all wrapped layers of the model.
        router: Shared by all of them.
    """

    def __init__(self, frozen: nn.Linear, index: int, router: AdapterRouter) -> None:
        super().__init__()
        self.frozen = frozen
        self.index = index
        self.router = router
        #: Its number in `BatchAdapters`; a training model that computes it gives it one.
        self.group = -1

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, I) to (B, T, O)."""
        active = self.router.active
        if active is None:
            return F.linear(x, self.frozen.weight, self.frozen.bias)
        return active.apply(self, x)


@dataclass(frozen=True, slots=True, eq=False)
class SampledAdapter(ActiveAdapters):
    """One adapter for all rows, without gradients (Hu et al. 2021, arXiv:2106.09685, eq. 3)."""

    #: One entry a wrapped layer; None where the adapter has no part.
    factors: Sequence[Factors | None]
    scale: float

    def apply(self, linear: LoraLinear, x: Tensor) -> Tensor:
        """Map (B, T, I) to (B, T, O), the adapter included."""
        out = F.linear(x, linear.frozen.weight, linear.frozen.bias)
        pair = self.factors[linear.index]
        if pair is None:
            return out
        delta = F.linear(F.linear(x, pair.down.to(x.dtype)) * self.scale, pair.up.to(x.dtype))
        return torch.add(out, delta, out=out)
