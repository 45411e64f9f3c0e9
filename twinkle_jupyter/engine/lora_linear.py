"""A frozen linear layer with any number of adapters beside it.

All active adapters' ranks are concatenated: one narrow matmul down, a mask that leaves each row its
own adapter's ranks, one up. Mixed ranks cost nothing extra, and a layer pays two matmuls however
many adapters there are (Hu et al. 2021, arXiv:2106.09685, eq. 3, for many at once).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor, nn


class Factors(NamedTuple):
    """One adapter's part in one linear layer."""

    #: (R, I)
    down: Tensor
    #: (O, R)
    up: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ActiveAdapters:
    """The adapters of one forward pass."""

    #: One sequence an adapter, one pair a linear layer.
    factors: tuple[Sequence[Factors], ...]
    #: Of the only adapter; not used where there are several.
    scale: float
    #: (B, 1, R) over the concatenated ranks: the owner's scale where the row owns the rank, else 0;
    #: None when all rows belong to one adapter.
    ownership: Tensor | None

    @classmethod
    def build(
        cls,
        adapters: Sequence[tuple[Sequence[Factors], float]],
        row_adapters: Sequence[int],
        device: torch.device,
    ) -> ActiveAdapters:
        """Collect factors and scale of each adapter; `row_adapters` says whose each row is."""
        factors = tuple(factors for factors, _ in adapters)
        if len(adapters) == 1:
            return cls(factors, adapters[0][1], None)
        down = factors[0][0].down
        owner_of_rank: list[int] = []
        for index, own in enumerate(factors):
            owner_of_rank += [index] * own[0].down.shape[0]
        ranks = torch.tensor(owner_of_rank, device=device)  # (R,)
        rows = torch.tensor(row_adapters, device=device)  # (B,)
        scales = torch.tensor([scale for _, scale in adapters], dtype=down.dtype, device=device)
        ownership = (rows[:, None] == ranks[None, :]) * scales[ranks]  # (B, R)
        return cls(factors, 1.0, ownership[:, None, :])

    def compute_delta(self, index: int, x: Tensor) -> Tensor:
        """What the adapters add to linear layer `index` for its input (B, T, I): (B, T, O)."""
        if self.ownership is None:
            down, up = self.factors[0][index]
            return F.linear(F.linear(x, down.to(x.dtype)) * self.scale, up.to(x.dtype))
        layer = [own[index] for own in self.factors]
        downs = torch.cat([pair.down for pair in layer], dim=0).to(x.dtype)  # (R, I)
        ups = torch.cat([pair.up for pair in layer], dim=1).to(x.dtype)  # (O, R)
        return F.linear(F.linear(x, downs) * self.ownership.to(x.dtype), ups)


class AdapterRouter:
    """What all wrapped layers of one model look at: the adapters of the forward under way."""

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

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, I) to (B, T, O)."""
        out = F.linear(x, self.frozen.weight, self.frozen.bias)
        active = self.router.active
        if active is None:
            return out
        # A linear's output is not needed for its own backward, so that it may be overwritten.
        return out.add_(active.compute_delta(self.index, x))
