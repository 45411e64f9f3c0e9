"""Which hidden positions reach the output head.

Logits are the widest tensor of a step: (N, V) where N is chosen here. The selection happens in
front of the head, so that what an architecture does to its logits afterwards still holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class HeadPositions:
    """Narrows the output head's input to some positions while a selection is active.

    Args:
        head: The output embedding; gets a forward pre-hook that stays for the module's life.
    """

    def __init__(self, head: nn.Module) -> None:
        self._selected: Tensor | None = None
        head.register_forward_pre_hook(self._narrow)

    @contextmanager
    def select(self, positions: Tensor) -> Iterator[None]:
        """Let only `positions`, (N,) indexes into the flat B x T, through; logits are (1, N, V)."""
        self._selected = positions
        try:
            yield
        finally:
            self._selected = None

    def _narrow(self, head: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        # A decoder may compute in a wider type than its weights have.
        hidden = inputs[0].to(next(head.parameters()).dtype)  # (B, T, D)
        if self._selected is None:
            return (hidden, *inputs[1:])
        narrowed = hidden.reshape(-1, hidden.shape[-1]).index_select(0, self._selected)
        return (narrowed.unsqueeze(0), *inputs[1:])  # (1, N, D)
