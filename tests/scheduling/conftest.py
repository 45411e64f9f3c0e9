"""Ops by adapter and number, as short as a test wants to read them."""

from __future__ import annotations

from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    ForwardBackward,
    OptimStep,
    SaveCheckpoint,
)

A, B, C = AdapterId("a"), AdapterId("b"), AdapterId("c")


def forward_backward(
    adapter_id: AdapterId, sequence_id: int, *row_tokens: int, loss: str = "cross_entropy"
) -> ForwardBackward:
    """Rows of these many tokens; without any, one of 4."""
    examples = [Example((1,) * n, (1,) * n, (1.0,) * n) for n in row_tokens or (4,)]
    return ForwardBackward(adapter_id, sequence_id, tuple(examples), loss)


def optim_step(adapter_id: AdapterId, sequence_id: int) -> OptimStep:
    return OptimStep(adapter_id, sequence_id, AdamWSettings(learning_rate=1e-3))


def save(adapter_id: AdapterId, sequence_id: int) -> SaveCheckpoint:
    return SaveCheckpoint(adapter_id, sequence_id, f"/{adapter_id}/{sequence_id}")
