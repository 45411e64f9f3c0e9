"""Packed tokens as one decoder layer sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from twinkle_jupyter.engine.batch_adapters import BatchAdapters, Mids
from twinkle_jupyter.engine.row_attention import AttentionShape, KeptAttention, RowAttention


class LayerAttention(Protocol):
    """Attention of each row to itself, and to what came before it; forward only."""

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, shape: AttentionShape, *, keeps: bool
    ) -> tuple[Tensor, KeptAttention]:
        """Map q (T, H x E), k and v (T, G x E) to (T, H x E)."""
        ...


class LayerAdapters(Protocol):
    """Adapters of the tokens; forward only."""

    def project(self, group: int, x: Tensor) -> Mids:
        """Map the input (T, I) of a group of linears into every adapter's ranks."""
        ...

    def add_deltas(self, group: int, mids: Mids, outs: Sequence[Tensor]) -> None:
        """Add what the adapters say to each linear's output (T, O), in place."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LayerBatch:
    """T tokens of some rows of some adapters, one row after the other."""

    adapters: LayerAdapters
    attention: LayerAttention
    #: (T, 1, F) angles of each token's position in its row.
    cos: Tensor
    sin: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class TrainedLayerBatch(LayerBatch):
    """Packed tokens that gradients come back to."""

    adapters: BatchAdapters
    attention: RowAttention
