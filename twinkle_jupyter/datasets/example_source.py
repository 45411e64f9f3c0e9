"""The order in which examples are trained on: a pure function of seed and step.

There is no state to save: the cursor of a run is its step, so a run that was killed goes on with
the very batch that it would have had.
"""

from __future__ import annotations

import random


class ExampleSource:
    """Batches of example indexes, in another seeded order in each epoch.

    Epochs follow one another without a gap: a batch may hold the end of one and the beginning of
    the next, and within an epoch each example comes exactly once.

    Args:
        num_examples: Size of the training set, at least 1.
        batch_size: Indexes in a batch, at least 1; may exceed `num_examples`.
        seed: Of the order.
    """

    def __init__(self, num_examples: int, batch_size: int, seed: int) -> None:
        if num_examples < 1 or batch_size < 1:
            raise ValueError(
                f"num_examples={num_examples} and batch_size={batch_size} must be at least 1"
            )
        self.num_examples = num_examples
        self.batch_size = batch_size
        self.seed = seed
        self._orders: dict[int, list[int]] = {}

    def batch(self, step: int) -> list[int]:
        """Return the indexes for `step`, which counts 1, 2, 3, … as events do."""
        if step < 1:
            raise ValueError(f"step={step} must be at least 1")
        start = (step - 1) * self.batch_size
        return self.at(range(start, start + self.batch_size))

    def at(self, places: range) -> list[int]:
        """Return the indexes at these places, from 0, of the endless stream of epochs."""
        return [self._order(i // self.num_examples)[i % self.num_examples] for i in places]

    def epoch(self, step: int) -> float:
        """Return how many passes over the data are done after `step`."""
        return step * self.batch_size / self.num_examples

    def _order(self, epoch: int) -> list[int]:
        if epoch not in self._orders:
            # Two are enough for a batch that crosses a border; more would grow with the run.
            while len(self._orders) > 1:
                self._orders.pop(next(iter(self._orders)))
            self._orders[epoch] = _shuffled(self.num_examples, f"{self.seed}:{epoch}")
        return self._orders[epoch]


def split(num_rows: int, eval_fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Choose the rows that are kept from training.

    Returns:
        Indexes to train on and indexes to evaluate on, each ascending. At least one row is trained
        on; with a fraction above 0 and two rows or more, at least one is evaluated on.
    """
    if eval_fraction <= 0 or num_rows < 2:
        return list(range(num_rows)), []
    num_eval = min(max(1, round(num_rows * eval_fraction)), num_rows - 1)
    chosen = set(_shuffled(num_rows, f"{seed}:eval")[:num_eval])
    return [i for i in range(num_rows) if i not in chosen], sorted(chosen)


def _shuffled(size: int, seed: str) -> list[int]:
    order = list(range(size))
    # Seeded by text, which Python hashes the same on every machine and version; not for secrets.
    random.Random(seed).shuffle(order)  # noqa: S311
    return order
