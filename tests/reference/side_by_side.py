"""The same adapters trained in our engine, side by side, and how far two trainings are apart."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from tests.reference.plain_peft import Step, Trainee, load_plain_model, row_logprobs
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    OptimStepResult,
)

Batches = Mapping[AdapterId, Sequence[Sequence[Example]]]
_WEIGHTS = (0.0, 0.0, 1.0, 1.0, 0.5, -0.25)


def draw_batches(
    base_folder: Path,
    company: Mapping[AdapterId, Trainee],
    num_steps: int,
    max_length: int = 40,
) -> Batches:
    """Draw rows of 1 to `max_length` tokens; about a third of the weights is 0, some are negative.

    Sampled log-probabilities lie around those of the base model, so that most ratios are near 1
    and a good part of them is clipped.
    """
    model = load_plain_model(base_folder, "float64")

    def draw_row(draw: random.Random, trainee: Trainee) -> Example:
        length = draw.randint(1, max_length)
        ids = [draw.randrange(390) for _ in range(length + 1)]
        row = Example.from_sequence(ids, [1.0] * 2 + draw.choices(_WEIGHTS, k=length - 1))
        if trainee.loss == "cross_entropy":
            return row
        with torch.no_grad():
            sampled = [value + draw.gauss(0, 0.3) for value in row_logprobs(model, row).tolist()]
        advantages = tuple(draw.gauss(0, 1) for _ in sampled)
        return Example(row.tokens, row.targets, row.weights, advantages, tuple(sampled))

    batches = {}
    for key, trainee in company.items():
        draw = random.Random(key)  # noqa: S311 - rows that can be drawn again
        batches[key] = [
            [draw_row(draw, trainee) for _ in range(trainee.num_rows)] for _ in range(num_steps)
        ]
    return batches


def open_engine(
    base_folder: Path,
    dtype: str,
    company: Mapping[AdapterId, Trainee],
    token_budget: int = 8192,
) -> StepEngine:
    """Load the base model and create the adapters."""
    base = load_base_model(base_folder, dtype)
    engine = StepEngine(base, base_model_name="tiny", token_budget=token_budget)
    for key, trainee in company.items():
        engine.create_adapter(key, trainee.spec)
    return engine


def save(engine: StepEngine, adapter_id: AdapterId, folder: Path) -> Path:
    """Write a checkpoint that PEFT can read."""
    engine.write_checkpoint(folder, engine.copy_adapter(adapter_id))
    return folder


def train_together(
    engine: StepEngine, company: Mapping[AdapterId, Trainee], batches: Batches
) -> dict[AdapterId, list[Step]]:
    """Train all of them at once, one forward_backward and one optim_step a step."""
    steps: dict[AdapterId, list[Step]] = {key: [] for key in company}
    for number in range(min(len(own) for own in batches.values())):
        results = engine.forward_backward(
            [
                ForwardBackward(
                    key,
                    1,
                    tuple(batches[key][number]),
                    loss=trainee.loss,
                    loss_settings=trainee.loss_settings,
                )
                for key, trainee in company.items()
            ]
        )
        gradients = {key: named(engine, key, engine.bank.get(key).gradient) for key in company}
        stepped = engine.optim_step(
            [OptimStep(key, 2, trainee.settings) for key, trainee in company.items()]
        )
        for key, result, optim in zip(company, results, stepped, strict=True):
            assert isinstance(result, ForwardBackwardResult), result
            assert isinstance(optim, OptimStepResult), optim
            weights = named(engine, key, engine.bank.get(key).parameters)
            steps[key].append(
                Step(
                    loss_sum=result.loss_sum,
                    logprobs=result.logprobs,
                    gradients=gradients[key],
                    grad_norm=optim.grad_norm,
                    weights=weights,
                    metrics=result.metrics,
                )
            )
    return steps


def named(engine: StepEngine, adapter_id: AdapterId, flat: Tensor) -> dict[str, Tensor]:
    """Copy a slot's flat buffer, (P,), into matrices under PEFT's names."""
    layout = engine.bank.get(adapter_id).layout
    return layout.name_tensors(layout.split(flat.detach().clone()))


@dataclass(frozen=True)
class Distance:
    """Largest absolute differences between two trainings."""

    loss: float
    logprob: float
    gradient: float
    grad_norm: float
    weight: float

    def is_within(self, bound: Distance) -> bool:
        return all(getattr(self, part.name) <= getattr(bound, part.name) for part in fields(self))


def measure_distance(pairs: Iterable[tuple[Step, Step]]) -> Distance:
    """Compare steps of the same adapter, part by part."""
    worst = dict.fromkeys((part.name for part in fields(Distance)), 0.0)
    for ours, theirs in pairs:
        logprobs = [
            abs(a - b)
            for row, other in zip(ours.logprobs, theirs.logprobs, strict=True)
            for a, b in zip(row, other, strict=True)
        ]
        found = {
            "loss": abs(ours.loss_sum - theirs.loss_sum),
            "logprob": max(logprobs),
            "gradient": _largest(ours.gradients, theirs.gradients),
            "grad_norm": abs(ours.grad_norm - theirs.grad_norm),
            "weight": _largest(ours.weights, theirs.weights),
        }
        worst = {name: max(worst[name], value) for name, value in found.items()}
    return Distance(**worst)


def _largest(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)
