"""Rows of several adapters as tensors: what one fused forward and backward takes.

Rows of one adapter are neighbours. They lie one after the other without padding where the model's
layers take that, else they are padded to the longest: on the right, where causal attention never
looks and no loss is.
"""

from __future__ import annotations

import math
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
    """B rows, N positions of which carry loss."""

    rows: tuple[BatchRow, ...]
    #: Positions that each row takes up; all the same where rows are padded.
    lengths: tuple[int, ...]
    #: (1, T) token ids of packed rows, or (B, T) of padded ones.
    tokens: Tensor
    #: (N,) indexes into the flat tokens, row after row.
    positions: Tensor
    #: (N,) token id to predict.
    targets: Tensor
    #: (N,) loss weight, never 0.
    weights: Tensor
    #: (N,) as in `Example`; 0 where the example has none.
    advantages: Tensor
    sampled_logprobs: Tensor
    #: (N,) row of each position.
    position_rows: Tensor
    #: (N,) place of each position in its example.
    places: tuple[int, ...]


def split_rows(
    units: Sequence[Sequence[BatchRow]], token_budget: int, *, is_packed: bool
) -> list[list[BatchRow]]:
    """Put units of rows into parts under the budget; a larger unit is alone.

    The rows of a unit stay together. The result depends on the rows alone, so that a repeated op is
    computed in the same way. Within a part, units are in the given order.

    Args:
        units: Those of one adapter are neighbours.
        token_budget: Positions of one part at most, padding included.
        is_packed: Whether rows are packed, not padded.
    """
    parts = _pack(units, token_budget) if is_packed else _pad(units, token_budget)
    return [[row for index in sorted(part) for row in units[index]] for part in parts]


def _pack(units: Sequence[Sequence[BatchRow]], token_budget: int) -> list[list[int]]:
    sizes = [sum(row.example.num_tokens for row in unit) for unit in units]
    # Parts of like size: a small last one would cost almost as much as a large one.
    target = sum(sizes) / max(1, math.ceil(sum(sizes) / token_budget))
    parts: list[list[int]] = []
    filled = 0
    for index, size in enumerate(sizes):
        if parts and filled + size <= token_budget and filled + size / 2 <= target:
            parts[-1].append(index)
            filled += size
        else:
            parts.append([index])
            filled = size
    return parts


def _pad(units: Sequence[Sequence[BatchRow]], token_budget: int) -> list[list[int]]:
    lengths = [max(row.example.num_tokens for row in unit) for unit in units]
    parts: list[list[int]] = []
    longest = num_rows = 0
    # Rows of like length together.
    for index in sorted(range(len(units)), key=lambda index: -lengths[index]):
        num_rows += len(units[index])
        if parts and longest * num_rows <= token_budget:
            parts[-1].append(index)
        else:
            parts.append([index])
            longest, num_rows = lengths[index], len(units[index])
    return parts


def build_micro_batch(
    rows: Sequence[BatchRow], dtype: torch.dtype, device: torch.device, *, is_packed: bool
) -> MicroBatch:
    """Lay out the rows and list their supervised positions; `dtype` is that of the weights."""
    examples = [row.example for row in rows]
    lengths = [example.num_tokens for example in examples]
    token_ids = [token for example in examples for token in example.tokens]
    if is_packed:
        tokens = torch.tensor(token_ids)[None]
    else:
        lengths = [max(lengths)] * len(lengths)
        tokens = torch.full((len(rows), lengths[0]), _PADDING_TOKEN)
        for index, example in enumerate(examples):
            tokens[index, : example.num_tokens] = torch.tensor(example.tokens)
    supervised = [
        (index, place)
        for index, example in enumerate(examples)
        for place, weight in enumerate(example.weights)
        if weight != 0
    ]
    starts = [0]
    for length in lengths:
        starts.append(starts[-1] + length)

    def pick(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    return MicroBatch(
        rows=tuple(rows),
        lengths=tuple(lengths),
        tokens=tokens.to(device),
        positions=torch.tensor([starts[row] + place for row, place in supervised], device=device),
        targets=torch.tensor(
            [examples[row].targets[place] for row, place in supervised], device=device
        ),
        weights=pick([examples[row].weights[place] for row, place in supervised]),
        advantages=pick([_at(examples[row].advantages, place) for row, place in supervised]),
        sampled_logprobs=pick(
            [_at(examples[row].sampled_logprobs, place) for row, place in supervised]
        ),
        position_rows=torch.tensor([row for row, _ in supervised], device=device),
        places=tuple(place for _, place in supervised),
    )


def _at(values: tuple[float, ...], place: int) -> float:
    return values[place] if values else 0.0
