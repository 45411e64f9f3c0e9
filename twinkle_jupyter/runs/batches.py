"""A run's rows as examples, and the batch of each step as a pure function of the step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.datasets.example_source import ExampleSource, split
from twinkle_jupyter.example import Example
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import raise_refusals, sum_up_warnings
from twinkle_jupyter.templates.checks.row_faults import find_eval_in_train
from twinkle_jupyter.templates.encode_rows import Record, RowEncoder


@dataclass(frozen=True, slots=True)
class Batches:
    """Examples of one run, in an order that the seed alone decides."""

    train: tuple[Example, ...]
    evaluation: tuple[Example, ...]
    total_steps: int
    source: ExampleSource
    #: What a person should know of the rows, a sentence each.
    warnings: tuple[str, ...] = ()

    @classmethod
    def build(cls, records: Sequence[Record], template: ChatTemplate, config: RunConfig) -> Batches:
        """Encode, check and split the rows.

        Raises:
            InvalidDataError: A row cannot be trained on as it is.
        """
        encoder = RowEncoder(template, config.loss_mask, config.max_length, config.reasoning)
        rows = encoder.encode_all(records)
        raise_refusals(rows.faults)
        train_indices, eval_indices = split(len(rows.examples), config.eval_fraction, config.seed)
        twice = find_eval_in_train(rows.digests, train_indices, eval_indices)
        return cls(
            train=tuple(rows.examples[index] for index in train_indices),
            evaluation=tuple(rows.examples[index] for index in eval_indices),
            total_steps=config.total_steps(len(train_indices)),
            source=ExampleSource(len(train_indices), config.batch_size, config.seed),
            warnings=tuple(sum_up_warnings([*rows.faults, *twice])),
        )

    def batch(self, places: range) -> tuple[Example, ...]:
        """Return the examples at these places, weighted so that their loss is a mean."""
        return mean_weighted([self.train[index] for index in self.source.at(places)])


def read_rows(records: Path, model_folder: Path, config: RunConfig) -> tuple[ChatTemplate, Batches]:
    """Read a run's records, JSON Lines, and encode them with the base model's template.

    Raises as `Batches.build`.
    """
    lines = records.read_text(encoding="utf-8").splitlines()
    template = ChatTemplate.load(model_folder)
    return template, Batches.build([json.loads(line) for line in lines if line], template, config)


def mean_weighted(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Divide all loss weights by the number of supervised tokens.

    The engine sums; with these weights the sum is the mean over the batch's supervised tokens.
    """
    count = sum(example.num_supervised for example in examples)
    return tuple(
        replace(example, weights=tuple(weight / count for weight in example.weights))
        for example in examples
    )
