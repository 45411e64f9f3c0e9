"""A plan on the engine: which of its methods does what, and what comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import InvalidDataError, TwinkleError
from twinkle_jupyter.ids import AdapterId, new_error_id
from twinkle_jupyter.runtime.engine_thread import EngineThread
from twinkle_jupyter.scheduling.events import (
    Outcome,
    Plan,
    PlanOutcome,
    RunMicroBatch,
    RunOptimSteps,
    RunRefusals,
    RunSaves,
)
from twinkle_jupyter.scheduling.op_part import PartDone
from twinkle_jupyter.scheduling.request import CheckpointCopied, Op

if TYPE_CHECKING:
    from twinkle_jupyter.engine.adapter_bank import AdapterState
    from twinkle_jupyter.engine.step import StepEngine

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What came of a plan."""

    #: One for each op, in their order.
    outcomes: Sequence[PlanOutcome]
    #: Of adapters whose checkpoints are to be written.
    copies: Mapping[AdapterId, AdapterState] = field(default_factory=dict)
    #: By `time.monotonic`.
    ended_at: float = 0.0
    #: Tokens of one pass, as they were at its end.
    token_budget: int = 0


def begin_plan(thread: EngineThread[StepEngine], plan: Plan) -> Coroutine[None, None, PlanResult]:
    """Put the plan on the engine's thread, now; return what waits for its end.

    Whatever is called from here on, to load an adapter or remove one, comes after it.
    """

    def run(engine: StepEngine) -> PlanResult:
        outcomes, copies = carry_out(plan, engine)
        return PlanResult(outcomes, copies, time.monotonic(), engine.token_budget)

    return _end_of(thread, plan, thread.submit(run), thread.engine.token_budget)


async def _end_of(
    thread: EngineThread[StepEngine],
    plan: Plan,
    call: asyncio.Future[PlanResult],
    token_budget: int,
) -> PlanResult:
    """Wait for a plan's end; what fails as a whole fails each of its ops."""
    try:
        return await thread.finish(call)
    except TwinkleError as error:
        failure = error
    except Exception:
        error_id = new_error_id()
        _LOGGER.exception("A plan of %d ops failed (%s)", len(plan.ops), error_id)
        failure = TwinkleError(f"The training step failed inside, see {error_id} in the log.")
    return PlanResult([failure] * len(plan.ops), token_budget=token_budget)


def all_done(outcomes: Sequence[PlanOutcome]) -> bool:
    """Whether no op of a plan has a part to come."""
    return not any(isinstance(outcome, PartDone) for outcome in outcomes)


def answers_of(ops: Sequence[Op], outcomes: Sequence[PlanOutcome]) -> list[tuple[Op, Outcome]]:
    """Return the ops of a plan that have an answer now: all but those with a part to come."""
    pairs = zip(ops, outcomes, strict=True)
    return [(op, outcome) for op, outcome in pairs if not isinstance(outcome, PartDone)]


def carry_out(
    plan: Plan, engine: StepEngine
) -> tuple[list[PlanOutcome], dict[AdapterId, AdapterState]]:
    """Run the plan; return an outcome for each op, and the copies that are to be written."""
    match plan:
        case RunMicroBatch(parts):
            return [*engine.forward_backward_parts(parts)], {}
        case RunOptimSteps(ops):
            return [*engine.optim_step(ops)], {}
        case RunRefusals(ops):
            return [InvalidDataError(op.message, op.hint) for op in ops], {}
        case RunSaves(ops):
            outcomes: list[PlanOutcome] = []
            copies: dict[AdapterId, AdapterState] = {}
            for op in ops:
                try:
                    copy = engine.copy_adapter(op.adapter_id, weights_only=op.weights_only)
                except TwinkleError as error:
                    outcomes.append(error)
                else:
                    copies[op.adapter_id] = copy
                    outcomes.append(CheckpointCopied(copy.step, op.folder))
            return outcomes, copies
