"""A run's rows as examples, and the batch of each step as a pure function of the step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.datasets.example_source import ExampleSource, split
from twinkle_jupyter.datasets.run_rows import PREFERENCE_LOSSES
from twinkle_jupyter.example import Example
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import raise_refusals, sum_up_warnings
from twinkle_jupyter.templates.checks.row_faults import find_eval_in_train
from twinkle_jupyter.templates.encode_pairs import PairEncoder
from twinkle_jupyter.templates.encode_rows import Record, RowEncoder

#: What of a row is computed together: its example, or the chosen and the rejected one.
RowExamples: TypeAlias = tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that one op computes, and what becomes of its sum."""

    examples: tuple[Example, ...]
    loss: str
    loss_settings: Mapping[str, float]
    #: The engine sums; its sum and its gradient divided by this are the mean that a run tells.
    divisor: float = 1.0


@dataclass(frozen=True, slots=True)
class Batches:
    """Examples of one run, in an order that the seed alone decides."""

    train: tuple[RowExamples, ...]
    evaluation: tuple[RowExamples, ...]
    total_steps: int
    source: ExampleSource
    #: What a person should know of the rows, a sentence each.
    warnings: tuple[str, ...] = ()
    loss: str = "cross_entropy"
    loss_settings: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def build(cls, records: Sequence[Record], template: ChatTemplate, config: RunConfig) -> Batches:
        """Encode, check and split the rows, which are of the kind that the loss takes.

        Raises:
            InvalidDataError: A row cannot be trained on as it is.
        """
        rows: Sequence[RowExamples]
        if config.loss in PREFERENCE_LOSSES:
            pairs = PairEncoder(template, config.max_length, config.reasoning).encode_all(records)
            rows, faults, digests = pairs.pairs, pairs.faults, pairs.digests
        else:
            encoder = RowEncoder(template, config.loss_mask, config.max_length, config.reasoning)
            encoded = encoder.encode_all(records)
            rows = [(example,) for example in encoded.examples]
            faults, digests = encoded.faults, encoded.digests
        raise_refusals(faults)
        train_indices, eval_indices = split(len(rows), config.eval_fraction, config.seed)
        twice = find_eval_in_train(digests, train_indices, eval_indices)
        return cls(
            train=tuple(rows[index] for index in train_indices),
            evaluation=tuple(rows[index] for index in eval_indices),
            total_steps=config.total_steps(len(train_indices)),
            source=ExampleSource(len(train_indices), config.batch_size, config.seed),
            warnings=tuple(sum_up_warnings([*faults, *twice])),
            loss=config.loss,
            loss_settings=config.loss_settings,
        )

    @property
    def needs_reference(self) -> bool:
        """Whether the loss compares with what the adapter said before its first step."""
        return self.loss in PREFERENCE_LOSSES

    def batch(self, places: range) -> Batch:
        """Return the rows at these places, such that their loss is a mean."""
        return self._batch([self.train[index] for index in self.source.at(places)])

    def eval_batches(self, num_rows: int) -> list[Batch]:
        """Return all eval rows, so many at once; the sum of their losses is the mean of all."""
        whole = self._batch(self.evaluation)
        size = num_rows * len(self.evaluation[0])
        return [
            replace(whole, examples=whole.examples[start : start + size])
            for start in range(0, len(whole.examples), size)
        ]

    def with_examples(self, change: Callable[[Example], Example]) -> Batches:
        """Return these with each example changed."""
        train, evaluation = (
            tuple(tuple(map(change, row)) for row in rows) for rows in (self.train, self.evaluation)
        )
        return replace(self, train=train, evaluation=evaluation)

    def _batch(self, rows: Sequence[RowExamples]) -> Batch:
        examples = tuple(chain.from_iterable(rows))
        if not self.needs_reference:
            return Batch(mean_weighted(examples), self.loss, self.loss_settings)
        return Batch(examples, self.loss, self.loss_settings, divisor=len(rows))


def read_rows(records: Path, model_folder: Path, config: RunConfig) -> tuple[ChatTemplate, Batches]:
    """Read a run's records, JSON Lines, and encode them with the base model's template.

    Raises as `Batches.build`.
    """
    rows = read_lines(records)
    template = ChatTemplate.load(model_folder)
    return template, Batches.build(rows, template, config)


def read_lines(records: Path) -> list[Record]:
    """Return the records as they were written, one a line.

    A line ends with a newline only: JSON may hold U+2028 and its like as they are.
    """
    return [json.loads(line) for line in records.read_text(encoding="utf-8").split("\n") if line]


def mean_weighted(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Divide all loss weights by the number of supervised tokens.

    The engine sums; with these weights the sum is the mean over the batch's supervised tokens.
    """
    count = sum(example.num_supervised for example in examples)
    return tuple(
        replace(example, weights=tuple(weight / count for weight in example.weights))
        for example in examples
    )
