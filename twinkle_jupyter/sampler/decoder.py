"""What turns tokens into logits for many answers at once, however it does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter

#: What a decoder keeps of one answer.
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, eq=False)
class Reading(Generic[Row]):
    """What one answer reads in one pass."""

    row: Row
    #: At least one.
    tokens: Sequence[int]
    #: Of those tokens, after which logits are wanted.
    places: Sequence[int]


class Logits(NamedTuple):
    """What a model says at N places, on the CPU, at least fp32."""

    #: (N, V)
    values: Tensor
    #: (N,) of each place: what log-probabilities are short of their logits.
    totals: Tensor
    #: (N,) of each place: the likeliest token.
    likeliest: Tensor

    @classmethod
    def of(cls, values: Tensor) -> Logits:
        """Look at all places at once, which costs a fraction of one after the other."""
        return cls(values, torch.logsumexp(values, dim=-1), values.argmax(dim=-1))

    def part(self, first: int, end: int) -> Logits:
        """Return those of some neighbouring places."""
        return Logits(*(each[first:end] for each in self))


class Decoder(Protocol[Row]):
    """A base model with room for the keys and values of many answers."""

    @property
    def adapter_dtype(self) -> torch.dtype:
        """Number type in which it reads the weights of a `HeldAdapter`."""
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes of what it keeps of the answers under way and before."""
        ...

    @property
    def num_rows(self) -> int:
        """Rows that are open."""
        ...

    @property
    def max_length(self) -> int:
        """Tokens of the longest answer, its prompt included, that could be had by itself."""
        ...

    def open_row(self, adapter: HeldAdapter | None, prompt: Sequence[int]) -> tuple[Row, int]:
        """Begin to read a prompt with these weights, which the row keeps.

        Returns:
            The row, and how many of the prompt's tokens, never all, are there already.
        """
        ...

    def grow(self, row: Row, length: int) -> bool:
        """See that so many tokens fit into the row; False when there is no memory left."""
        ...

    def read(self, readings: Sequence[Reading[Row]]) -> list[Logits]:
        """Read on in rows that were grown for it; return the logits of each reading's places."""
        ...

    def remember(self, row: Row, tokens: Sequence[int]) -> None:
        """Keep what the row has read, these tokens, for prompts that begin like it."""
        ...

    def close_row(self, row: Row) -> None:
        """Free the row."""
        ...
