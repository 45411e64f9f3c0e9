"""A run's rows as examples, and the batch of each step as a pure function of the step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.datasets.example_source import ExampleSource, split
from twinkle_jupyter.example import Example
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks import raise_refusals
from twinkle_jupyter.templates.encode_rows import encode_rows
from twinkle_jupyter.templates.loss_mask import Messages


@dataclass(frozen=True, slots=True)
class Batches:
    """Examples of one run, in an order that the seed alone decides."""

    train: tuple[Example, ...]
    evaluation: tuple[Example, ...]
    total_steps: int
    source: ExampleSource

    @classmethod
    def build(
        cls, records: Sequence[Mapping[str, Messages]], template: ChatTemplate, config: RunConfig
    ) -> Batches:
        """Encode, check and split the rows.

        Raises:
            InvalidDataError: A row cannot be trained on as it is.
        """
        examples, faults = encode_rows(
            records, template, config.loss_mask, max_length=config.max_length
        )
        raise_refusals(faults)
        train_indices, eval_indices = split(len(examples), config.eval_fraction, config.seed)
        return cls(
            train=tuple(examples[index] for index in train_indices),
            evaluation=tuple(examples[index] for index in eval_indices),
            total_steps=config.total_steps(len(train_indices)),
            source=ExampleSource(len(train_indices), config.batch_size, config.seed),
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
