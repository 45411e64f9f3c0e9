"""What to do when a pass does not fit into memory: how small those become that follow it."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import torch

from twinkle_jupyter.scheduling.op_part import unit_tokens
from twinkle_jupyter.scheduling.request import ForwardBackward


def halve_budget(ops: Sequence[ForwardBackward], token_budget: int) -> int | None:
    """Return about half of the tokens that went through at once; None where rows were alone.

    Args:
        ops: What did not fit.
        token_budget: Under which it did not.
    """
    sizes = [size for op in ops for size in unit_tokens(op)]
    at_once = min(token_budget, sum(sizes))
    largest = max(sizes, default=0)
    return max(largest, at_once // 2) if at_once > largest else None


def release_memory() -> None:
    """Give back what a failed pass has left: graphs in cycles, and the GPU's freed blocks."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
