"""What a run is going to need, told before its first step; refused where one row does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.engine.memory import (
    BatchShape,
    ModelDimensions,
    estimate_memory,
    machine_memory,
)
from twinkle_jupyter.errors import OutOfMemoryError
from twinkle_jupyter.runs.batches import Batches, RowExamples
from twinkle_jupyter.runtime.compute_plan import plan_compute
from twinkle_jupyter.scheduling.request import AdapterSpec

#: Rows of the first batches that are looked at for the largest; later ones are drawn from the same.
_MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Bytes; both 0 where the base model's shape is not known."""

    #: By the run's largest step.
    needed: int
    #: In the machine.
    machine: int


def plan_run_memory(
    folder: Path, batches: Batches, config: RunConfig, settings: TrainerSettings
) -> MemoryPlan:
    """Return what `plan_memory` estimates, beside what there is; raises as it does."""
    needed = plan_memory(folder, batches, config, settings)
    return MemoryPlan(needed, machine_memory() if needed else 0)


def plan_memory(
    folder: Path,
    batches: Batches,
    config: RunConfig,
    settings: TrainerSettings,
    machine_bytes: int | None = None,
) -> int:
    """Estimate the bytes of the run's largest step; 0 where the base model's shape is not known.

    Args:
        folder: Of the base model.
        batches: The run's rows.
        config: Its settings.
        settings: The trainer's.
        machine_bytes: Memory there is; this machine's own if None.

    Raises:
        OutOfMemoryError: The machine has less memory than the longest row needs by itself.
    """
    model = ModelDimensions.read(folder)
    if model is None or not batches.train:
        return 0
    there_is = machine_memory() if machine_bytes is None else machine_bytes
    plan = plan_compute(folder, settings, there_is)
    spec = AdapterSpec(rank=config.rank, alpha=config.lora_alpha)

    def estimate(shape: BatchShape) -> int:
        return estimate_memory(
            model,
            spec,
            shape,
            dtype=settings.dtype,
            gradient_checkpointing=plan.gradient_checkpointing,
        ).total

    longest = max(batches.train, key=_count_tokens)
    needed = estimate(_shape([longest]))
    if needed > there_is:
        is_pair = len(longest) > 1
        raise OutOfMemoryError(
            f"One {'pair of answers, with the prompt twice,' if is_pair else 'row'} of"
            f" {_count_tokens(longest)} tokens needs about {needed / 1e9:.1f} GB of memory; this"
            f" machine has {there_is / 1e9:.1f} GB.",
            f"Set max_length (now {config.max_length}) lower or choose a smaller base model. A"
            f" smaller batch_size (now {config.batch_size}) does not help: one"
            f" {'pair' if is_pair else 'row'} is too much.",
        )
    return max(estimate(_at_once(rows, plan.token_budget)) for rows in _first_batches(batches))


def _first_batches(batches: Batches) -> Iterator[list[RowExamples]]:
    num_rows = min(len(batches.train), _MOST_ROWS)
    num_steps = -(-num_rows // batches.source.batch_size)
    for step in range(1, 1 + min(batches.total_steps, num_steps)):
        yield [batches.train[index] for index in batches.source.batch(step)]


def _count_tokens(row: RowExamples) -> int:
    return sum(example.num_tokens for example in row)


def _shape(rows: list[RowExamples]) -> BatchShape:
    examples = [example for row in rows for example in row]
    return BatchShape(
        num_tokens=sum(example.num_tokens for example in examples),
        longest_row=max(example.num_tokens for example in examples),
        num_supervised=sum(example.num_supervised for example in examples),
    )


def _at_once(rows: list[RowExamples], token_budget: int) -> BatchShape:
    """Return the shape of one of the parts that a batch is computed in."""
    whole = _shape(rows)
    # The two sides of a pair are never parted.
    num_tokens = max(*map(_count_tokens, rows), min(whole.num_tokens, token_budget))
    share = num_tokens / whole.num_tokens
    return BatchShape(num_tokens, whole.longest_row, round(share * whole.num_supervised))
