"""Rows of several adapters as padded tensors: what one fused forward and backward takes.

Padding is on the right and needs no mask: causal attention never looks at it, and no loss does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twinkle_jupyter.example import Example

_PADDING_TOKEN = 0


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One example, and where it comes from."""

    example: Example
    #: Which op of the fused call, and which of its examples.
    op_index: int
    example_index: int


@dataclass(frozen=True, slots=True, eq=False)
class MicroBatch:
    """B rows of T positions, N of which carry loss."""

    rows: tuple[BatchRow, ...]
    #: (B, T) token ids.
    tokens: Tensor
    #: (N,) indexes into the flat B x T, row after row.
    positions: Tensor
    #: (N,) token id to predict.
    targets: Tensor
    #: (N,) loss weight, never 0.
    weights: Tensor
    #: (N,) row of each position.
    position_rows: Tensor


def split_rows(rows: Sequence[BatchRow], token_budget: int) -> list[list[BatchRow]]:
    """Put rows of like length together, padding included under the budget; a longer row is alone.

    The result depends on the rows alone, so that a repeated op is computed in the same way.
    """
    batches: list[list[BatchRow]] = []
    longest = 0
    for row in sorted(rows, key=lambda row: -row.example.num_tokens):
        if batches and longest * (len(batches[-1]) + 1) <= token_budget:
            batches[-1].append(row)
        else:
            batches.append([row])
            longest = row.example.num_tokens
    return batches


def build_micro_batch(
    rows: Sequence[BatchRow], dtype: torch.dtype, device: torch.device
) -> MicroBatch:
    """Pad the rows and list their supervised positions; `dtype` is that of the weights."""
    length = max(row.example.num_tokens for row in rows)
    tokens = torch.full((len(rows), length), _PADDING_TOKEN, dtype=torch.long)
    positions: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    position_rows: list[int] = []
    for index, row in enumerate(rows):
        example = row.example
        tokens[index, : example.num_tokens] = torch.tensor(example.tokens)
        for place, weight in enumerate(example.weights):
            if weight != 0:
                positions.append(index * length + place)
                targets.append(example.targets[place])
                weights.append(weight)
                position_rows.append(index)
    return MicroBatch(
        rows=tuple(rows),
        tokens=tokens.to(device),
        positions=torch.tensor(positions, device=device),
        targets=torch.tensor(targets, device=device),
        weights=torch.tensor(weights, dtype=dtype, device=device),
        position_rows=torch.tensor(position_rows, device=device),
    )
