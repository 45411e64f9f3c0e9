"""Answers that a trainer gave and nobody heard: asked for again by their sequence ids.

A driver that died between an answer and its entry in the run's log has a successor, and so has a
trainer. The trainer keeps its newest answers, and gives them for any op with the same id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from twinkle_jupyter.errors import ConflictError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import AdapterPosition, TrainerHandle
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    OptimStepResult,
)

R = TypeVar("R")

#: Ids to look back: a step has two, and each that was cancelled on the way has spent another.
_LOOK_BACK = 16


@dataclass(frozen=True, slots=True)
class LostAnswers:
    """What is there of the step after the last one told."""

    passed: ForwardBackwardResult | None = None
    stepped: OptimStepResult | None = None


async def find_lost_answers(
    trainer: TrainerHandle, adapter_id: AdapterId, position: AdapterPosition, last_told: int
) -> LostAnswers:
    """Return what the trainer did for the step after `last_told`.

    Args:
        trainer: Has the adapter.
        adapter_id: Which one.
        position: Where the adapter is now.
        last_told: The newest step in the run's log.
    """

    def pass_of(number: int) -> Awaitable[ForwardBackwardResult]:
        return trainer.forward_backward(ForwardBackward(adapter_id, number, ()))

    def step_of(number: int) -> Awaitable[OptimStepResult]:
        return trainer.optim_step(OptimStep(adapter_id, number, AdamWSettings(learning_rate=0.0)))

    before = position.next_sequence_id
    stepped = None
    if position.step == last_told + 1:
        before, stepped = await _find_before(before, step_of)
    elif not position.has_gradient:
        return LostAnswers()
    _, passed = await _find_before(before, pass_of)
    return LostAnswers(passed, stepped)


async def _find_before(before: int, ask: Callable[[int], Awaitable[R]]) -> tuple[int, R]:
    """Return the newest answer of this kind with an id below `before`."""
    for number in range(before - 1, max(0, before - 1 - _LOOK_BACK), -1):
        try:
            return number, await ask(number)
        except ConflictError:
            continue  # another kind of op, or one that was cancelled
    raise ConflictError(
        "The trainer no longer has the answers of the newest step.",
        "Rewind the run to its newest checkpoint.",
    )
