"""Rows of several adapters as tensors: what one fused forward and backward takes.

Rows of one adapter are neighbours. They lie one after the other without padding where the model's
layers take that, else they are padded to the longest: on the right, where causal attention never
looks and no loss is. What comes after a row's last scored position is left out where that pays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from twinkle_jupyter.engine.row_places import RowPlaces, place_rows
from twinkle_jupyter.example import Example

_PADDING_TOKEN = 0
#: What one more run of adapters costs (`batch_adapters`), in tokens: 15 to 20 ms, of 2.3 each.
_TOKENS_OF_A_RUN = 8


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One example, and where it comes from."""

    example: Example
    #: Which op of the fused call, and which of its examples.
    op_index: int
    example_index: int
    #: Whether positions of weight 0 get their log-probability, too.
    scores_all: bool = False

    @property
    def scored_places(self) -> list[int]:
        """The positions whose log-probability is computed."""
        weights = self.example.weights
        if self.scores_all:
            return list(range(len(weights)))
        return [place for place, weight in enumerate(weights) if weight != 0]


@dataclass(frozen=True, slots=True, eq=False)
class MicroBatch:
    """B rows, N positions of which are scored."""

    rows: tuple[BatchRow, ...]
    #: Where each row's tokens are in the flat tokens.
    row_places: tuple[RowPlaces, ...]
    #: Positions that each row has added to the batch, padding included.
    num_added: tuple[int, ...]
    #: (1, T) token ids of packed rows, or (B, T) of padded ones.
    tokens: Tensor
    #: As `tokens`: the place of each token in its row.
    token_positions: Tensor
    #: (N,) indexes into the flat tokens, row after row.
    positions: Tensor
    #: (N,) token id to predict.
    targets: Tensor
    #: (N,) loss weight; 0 only in rows that score all.
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
    """Lay out the rows and list their scored positions; `dtype` is that of the weights.

    In fp64, which is for comparing with other software, rows share no beginning: architectures
    round their norms to fp32 even there, and a sum of gradients rounds otherwise than its parts.
    """
    examples = [row.example for row in rows]
    scored = [row.scored_places for row in rows]
    owners = [row.op_index for row in rows]
    token_ids = _cut_ends(examples, scored, owners)
    if is_packed:
        row_places = place_rows(token_ids, owners, may_share=dtype != torch.float64)
        num_added = [row.length - row.num_shared for row in row_places]
        tokens, token_positions = _pack_tokens(row_places, token_ids)
    else:
        longest = max(map(len, token_ids))
        row_places = _place_padded(token_ids, longest)
        num_added = [longest] * len(rows)
        tokens, token_positions = _pad_tokens(token_ids, longest)
    flat = [(row, place) for row, places in enumerate(scored) for place in places]

    def pick(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    return MicroBatch(
        rows=tuple(rows),
        row_places=tuple(row_places),
        num_added=tuple(num_added),
        tokens=tokens.to(device),
        token_positions=token_positions.to(device),
        positions=torch.tensor(
            [row_places[row].places[place] for row, place in flat], device=device
        ),
        targets=torch.tensor([examples[row].targets[place] for row, place in flat], device=device),
        weights=pick([examples[row].weights[place] for row, place in flat]),
        advantages=pick([_at(examples[row].advantages, place) for row, place in flat]),
        sampled_logprobs=pick([_at(examples[row].sampled_logprobs, place) for row, place in flat]),
        position_rows=torch.tensor([row for row, _ in flat], device=device),
        places=tuple(place for _, place in flat),
    )


def _cut_ends(
    examples: Sequence[Example], scored: Sequence[Sequence[int]], owners: Sequence[int]
) -> list[tuple[int, ...]]:
    """Leave out what comes after each row's last scored position, where that pays."""
    whole = [example.tokens for example in examples]
    cut = [
        tokens[: max(places, default=0) + 1] for tokens, places in zip(whole, scored, strict=True)
    ]
    num_saved = sum(map(len, whole)) - sum(map(len, cut))
    num_more_runs = _count_changes(cut, owners) - _count_changes(whole, owners)
    return cut if num_saved > _TOKENS_OF_A_RUN * num_more_runs else whole


def _count_changes(token_ids: Sequence[tuple[int, ...]], owners: Sequence[int]) -> int:
    """Count neighbouring owners that have unequally many tokens: each begins another run."""
    sizes: dict[int, int] = {}
    for owner, ids in zip(owners, token_ids, strict=True):
        sizes[owner] = sizes.get(owner, 0) + len(ids)
    return sum(one != other for one, other in pairwise(sizes.values()))


def _pack_tokens(
    row_places: Sequence[RowPlaces], token_ids: Sequence[tuple[int, ...]]
) -> tuple[Tensor, Tensor]:
    """Return (1, T) token ids and places in their rows."""
    tokens = torch.empty(1, 1 + max(row.places[-1] for row in row_places), dtype=torch.long)
    positions = torch.empty_like(tokens)
    for row, ids in zip(row_places, token_ids, strict=True):
        own = list(row.places[row.num_shared :])
        tokens[0, own] = torch.tensor(ids[row.num_shared :], dtype=torch.long)
        positions[0, own] = torch.arange(row.num_shared, row.length)
    return tokens, positions


def _place_padded(token_ids: Sequence[tuple[int, ...]], longest: int) -> list[RowPlaces]:
    return [
        RowPlaces(tuple(range(row * longest, row * longest + len(ids))), 0)
        for row, ids in enumerate(token_ids)
    ]


def _pad_tokens(token_ids: Sequence[tuple[int, ...]], longest: int) -> tuple[Tensor, Tensor]:
    """Return (B, T) token ids and places in their rows."""
    tokens = torch.full((len(token_ids), longest), _PADDING_TOKEN)
    for index, ids in enumerate(token_ids):
        tokens[index, : len(ids)] = torch.tensor(ids)
    return tokens, torch.arange(longest).expand_as(tokens)


def _at(values: tuple[float, ...], place: int) -> float:
    return values[place] if values else 0.0
