"""A packed micro-batch as one decoder layer sees it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from twinkle_jupyter.engine.batch_adapters import BatchAdapters
from twinkle_jupyter.engine.row_attention import RowAttention


@dataclass(frozen=True, slots=True, eq=False)
class LayerBatch:
    """T tokens of some rows of some adapters, one row after the other."""

    adapters: BatchAdapters
    attention: RowAttention
    #: (T, 1, F) angles of each token's position in its row.
    cos: Tensor
    sin: Tensor
