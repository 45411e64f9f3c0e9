"""The shipped conversations as rows for both sides: of any length, and with their true loss mask.

A row of n tokens is n tokens that the model reads; its last position has nothing to predict, which
is how `labels` of transformers mean it. Both sides read the same ids and learn the same positions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TypeAlias, cast

import torch
from torch import Tensor

from twinkle_jupyter.datasets.records import load_records
from twinkle_jupyter.example import Example
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.encode_rows import encode_rows
from twinkle_jupyter.templates.message_form import Messages

DATA_SETS = ("self_cognition", "pirate")
#: What transformers' loss leaves out.
IGNORED = -100

Batch: TypeAlias = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class ChatRow:
    """Token ids, and which of them are learned."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]

    @property
    def num_learned(self) -> int:
        """How many tokens carry loss; nothing predicts the first."""
        return sum(self.learned[1:])

    def with_all_learned(self) -> ChatRow:
        return replace(self, learned=(True,) * len(self.ids))


def load_chat_rows(model_folder: Path, max_length: int = 512) -> list[ChatRow]:
    """Encode the shipped conversations, mixed, the same at every call."""
    template = ChatTemplate.load(model_folder)
    records = [load_records(name).records for name in DATA_SETS]
    mixed = [one for group in zip_longest(*records) for one in group if one is not None]
    random.Random(0).shuffle(mixed)  # noqa: S311 - an order, not a secret
    conversations = cast("list[Mapping[str, Messages]]", mixed)
    rows = encode_rows(conversations, template, "all-assistant", max_length)
    return [
        ChatRow((*one.tokens, one.targets[-1]), (False, *(weight != 0 for weight in one.weights)))
        for one in rows.examples
    ]


def cut_rows(rows: Sequence[ChatRow], length: int) -> list[ChatRow]:
    """Cut all conversations, one after the other, into rows of `length` tokens.

    Pieces in which nothing is learned are left out: a mean over nothing is no loss.
    """
    ids = [token for row in rows for token in row.ids]
    learned = [flag for row in rows for flag in row.learned]
    pieces = [
        ChatRow(tuple(ids[start : start + length]), tuple(learned[start : start + length]))
        for start in range(0, len(ids) - length + 1, length)
    ]
    return [piece for piece in pieces if piece.num_learned]


def share_learned(rows: Sequence[ChatRow]) -> float:
    """Return the share of tokens that carry loss."""
    return sum(row.num_learned for row in rows) / sum(len(row.ids) for row in rows)


def deal(rows: Sequence[ChatRow], hand: int) -> Iterator[list[ChatRow]]:
    """Give `hand` rows at a time, round and round."""
    place = 0
    while True:
        yield [rows[(place + index) % len(rows)] for index in range(hand)]
        place = (place + hand) % len(rows)


def to_examples(rows: Sequence[ChatRow]) -> tuple[Example, ...]:
    """Return the rows as our engine takes them, weighted to the mean that transformers takes."""
    weight = 1.0 / sum(row.num_learned for row in rows)
    return tuple(
        Example(
            row.ids,
            (*row.ids[1:], row.ids[-1]),
            (*(weight * flag for flag in row.learned[1:]), 0.0),
        )
        for row in rows
    )


def to_batch(rows: Sequence[ChatRow], pad_id: int, device: str) -> Batch:
    """Return the rows as transformers takes them: padded on the right, masked if padded at all."""
    longest = max(len(row.ids) for row in rows)
    batch: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "attention_mask": []}
    for row in rows:
        padding = longest - len(row.ids)
        labels = [
            token if flag else IGNORED for token, flag in zip(row.ids, row.learned, strict=True)
        ]
        batch["input_ids"].append([*row.ids, *[pad_id] * padding])
        batch["labels"].append([*labels, *[IGNORED] * padding])
        batch["attention_mask"].append([1] * len(row.ids) + [0] * padding)
    if all(len(row.ids) == longest for row in rows):
        del batch["attention_mask"]
    return {name: torch.tensor(values, device=device) for name, values in batch.items()}
