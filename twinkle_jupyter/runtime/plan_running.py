"""A plan on the engine: which of its methods does what, and what comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import InvalidDataError, TwinkleError
from twinkle_jupyter.ids import AdapterId, new_error_id
from twinkle_jupyter.runtime.engine_thread import EngineThread
from twinkle_jupyter.scheduling.events import (
    Outcome,
    Plan,
    RunMicroBatch,
    RunOptimSteps,
    RunRefusals,
    RunSaves,
)
from twinkle_jupyter.scheduling.request import CheckpointCopied

if TYPE_CHECKING:
    from twinkle_jupyter.engine.adapter_bank import AdapterState
    from twinkle_jupyter.engine.step import StepEngine

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What came of a plan."""

    #: One for each op, in their order.
    outcomes: Sequence[Outcome]
    #: Of adapters whose checkpoints are to be written.
    copies: Mapping[AdapterId, AdapterState] = field(default_factory=dict)
    #: `time.monotonic` at its beginning.
    started_at: float = 0.0
    #: Tokens of one pass, as they were at its end.
    token_budget: int = 0


async def run_plan(thread: EngineThread[StepEngine], plan: Plan) -> PlanResult:
    """Run the plan on the engine's thread; what fails as a whole fails each of its ops."""

    def run(engine: StepEngine) -> PlanResult:
        started_at = time.monotonic()
        outcomes, copies = carry_out(plan, engine)
        return PlanResult(outcomes, copies, started_at, engine.token_budget)

    try:
        return await thread.call(run)
    except TwinkleError as error:
        return PlanResult([error] * len(plan.ops))
    except Exception:
        error_id = new_error_id()
        _LOGGER.exception("A plan of %d ops failed (%s)", len(plan.ops), error_id)
        failure = TwinkleError(f"The training step failed inside, see {error_id} in the log.")
        return PlanResult([failure] * len(plan.ops))


def carry_out(
    plan: Plan, engine: StepEngine
) -> tuple[list[Outcome], dict[AdapterId, AdapterState]]:
    """Run the plan; return an outcome for each op, and the copies that are to be written."""
    match plan:
        case RunMicroBatch(ops):
            return [*engine.forward_backward(ops)], {}
        case RunOptimSteps(ops):
            return [*engine.optim_step(ops)], {}
        case RunRefusals(ops):
            return [InvalidDataError(op.message, op.hint) for op in ops], {}
        case RunSaves(ops):
            outcomes: list[Outcome] = []
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
