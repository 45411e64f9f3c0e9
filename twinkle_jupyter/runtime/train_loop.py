"""The loop around a training engine: ops in, plans to the engine's thread, answers out.

Scheduling happens on the event loop, which never touches a tensor; the engine's thread runs one
plan at a time, and snapshots between two of them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.errors import (
    ConflictError,
    NotFoundError,
    ServiceUnavailableError,
    TwinkleError,
)
from twinkle_jupyter.ids import AdapterId, AdapterVersion, new_error_id
from twinkle_jupyter.runtime.compute_plan import plan_compute
from twinkle_jupyter.runtime.engine_thread import EngineThread, Progress
from twinkle_jupyter.runtime.handles import AdapterPosition, ComputeStatus
from twinkle_jupyter.sampler.interface import AdapterSnapshot
from twinkle_jupyter.scheduling.events import (
    AdapterAdded,
    AdapterRemoved,
    Answer,
    Event,
    OpArrived,
    OpCancelled,
    Outcome,
    Plan,
    PlanDone,
    RunMicroBatch,
    RunOptimSteps,
    RunSaves,
)
from twinkle_jupyter.scheduling.machine import Scheduler
from twinkle_jupyter.scheduling.request import (
    AdapterSpec,
    CheckpointSaved,
    ForwardBackward,
    ForwardBackwardResult,
    Op,
    OpResult,
    OptimStep,
    OptimStepResult,
    Priority,
    SaveCheckpoint,
)

if TYPE_CHECKING:
    from twinkle_jupyter.engine.step import StepEngine

_LOGGER = logging.getLogger(__name__)
R = TypeVar("R", bound=OpResult)

#: An op waits for its turn behind others; longer than this and something is wrong.
_OP_TIMEOUT_S = 3600.0


@dataclass(slots=True)
class _Arrival:
    at: float
    num_waiting: int = 0


class TrainLoop:
    """A `TrainerHandle` in this process.

    Args:
        base_model_folder: Hugging Face folder with safetensors.
        base_model_name: As people know it; written into checkpoints.
        num_threads: CPU threads of the engine.
        settings: How it computes, and how many adapters it keeps.
    """

    def __init__(
        self,
        base_model_folder: Path,
        *,
        base_model_name: str,
        num_threads: int,
        settings: TrainerSettings | None = None,
    ) -> None:
        self._folder = base_model_folder
        self._base_model_name = base_model_name
        self._num_threads = num_threads
        self._settings = settings or TrainerSettings()
        self._thread: EngineThread[StepEngine] = EngineThread("trainer")
        self._scheduler = Scheduler(self._settings.token_budget)
        self._last_ticket = 0
        self._waiting: dict[int, asyncio.Future[OpResult]] = {}
        #: When each unanswered op came, and how many wait for it.
        self._arrivals: dict[tuple[AdapterId, int], _Arrival] = {}
        self._running: asyncio.Task[None] | None = None
        self._plan_ended = asyncio.Event()
        self._is_closed = False
        # Creating, loading and removing take two steps each: in the engine and in the scheduler.
        self._slots_lock = asyncio.Lock()

    async def start(self, on_progress: Progress | None = None) -> None:
        """Load the base model; raises what `engine.load_base_model` raises."""
        await self._thread.start(self._build, on_progress)

    async def close(self) -> None:
        """Fail what waits, let the plan under way end, and free the base model."""
        self._is_closed = True
        error = ServiceUnavailableError("The trainer is closed.")
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        running = self._running
        await self._thread.close()
        if running is not None:
            await asyncio.wait([running], timeout=_OP_TIMEOUT_S)

    async def create_adapter(
        self,
        adapter_id: AdapterId,
        spec: AdapterSpec,
        *,
        user: str = "",
        priority: Priority = "interactive",
    ) -> None:
        """Give the adapter a slot and its first weights. Creating it again changes nothing."""
        async with self._slots_lock:
            await self._thread.call(lambda engine: engine.create_adapter(adapter_id, spec))
            self._feed(AdapterAdded(adapter_id, user, priority))

    async def load_adapter(
        self,
        adapter_id: AdapterId,
        folder: str,
        *,
        user: str = "",
        priority: Priority = "interactive",
    ) -> int:
        """Put a checkpoint with its optimizer into a slot; return its step."""
        async with self._slots_lock:
            state = await self._thread.call(lambda engine: engine.read_checkpoint(Path(folder)))
            replaced = ConflictError(f"Adapter {adapter_id!r} was loaded from a checkpoint.")
            self._feed(AdapterRemoved(adapter_id, replaced))
            await self._thread.call(lambda engine: engine.put_adapter(adapter_id, state))
            self._feed(AdapterAdded(adapter_id, user, priority))
            return state.step

    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Free the slot; unanswered ops fail. Removing what is not there changes nothing."""
        async with self._slots_lock:
            gone = NotFoundError(f"Adapter {adapter_id!r} was removed.")
            self._feed(AdapterRemoved(adapter_id, gone))
            await self._thread.call(lambda engine: engine.remove_adapter(adapter_id))

    async def position(self, adapter_id: AdapterId) -> AdapterPosition | None:
        """Wait until every op taken in so far is answered; None where there is no such adapter."""
        await self._thread.get_engine()
        try:
            async with asyncio.timeout(_OP_TIMEOUT_S):
                while not self._scheduler.is_settled(adapter_id):
                    self._plan_ended.clear()
                    await self._plan_ended.wait()
        except TimeoutError as error:
            raise _not_served(adapter_id) from error
        next_id = self._scheduler.next_id(adapter_id)
        if next_id is None:
            return None
        state = await self._thread.call(lambda engine: engine.adapters.peek(adapter_id))
        return AdapterPosition(next_id, state.step, state.gradient is not None)

    async def forward_backward(self, op: ForwardBackward) -> ForwardBackwardResult:
        """Run the op in its turn."""
        return await self._run_op(op, ForwardBackwardResult)

    async def optim_step(self, op: OptimStep) -> OptimStepResult:
        """Run the op in its turn."""
        return await self._run_op(op, OptimStepResult)

    async def save_checkpoint(self, op: SaveCheckpoint) -> CheckpointSaved:
        """Run the op in its turn."""
        return await self._run_op(op, CheckpointSaved)

    async def snapshot(self, adapter_id: AdapterId) -> AdapterSnapshot:
        """Copy the weights between two plans; never waits for queued ops."""
        spec, step, weights = await self._thread.call(
            lambda engine: engine.copy_weights(adapter_id)
        )
        return AdapterSnapshot(adapter_id, AdapterVersion(step), spec, weights.numpy())

    async def status(self) -> ComputeStatus:
        """Answer when the base model is loaded."""
        engine = await self._thread.get_engine()
        return ComputeStatus(
            self._base_model_name,
            is_ready=True,
            num_adapters=len(engine.adapters),
            memory_bytes=engine.size_bytes,
        )

    def _build(self, report: Progress) -> StepEngine:
        report("Loading torch and transformers")
        import torch

        from twinkle_jupyter.engine.base_model import load_base_model
        from twinkle_jupyter.engine.residency import AdapterLimits
        from twinkle_jupyter.engine.step import StepEngine

        torch.set_num_threads(self._num_threads)
        report(f"Loading weights of {self._base_model_name}")
        settings = self._settings
        plan = plan_compute(self._folder, settings)
        base = load_base_model(self._folder, settings.dtype)
        return StepEngine(
            base,
            base_model_name=self._base_model_name,
            token_budget=plan.token_budget,
            limits=AdapterLimits(
                max_active=settings.max_active_adapters,
                max_adapters=settings.max_adapters,
                host_bytes=settings.host_memory_for_adapters,
                scratch=Path(settings.scratch) if settings.scratch else None,
            ),
            gradient_checkpointing=plan.gradient_checkpointing,
        )

    async def _run_op(self, op: Op, kind: type[R]) -> R:
        await self._thread.get_engine()
        self._last_ticket += 1
        ticket = self._last_ticket
        future: asyncio.Future[OpResult] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = future
        key = (op.adapter_id, op.sequence_id)
        arrival = self._arrivals.setdefault(key, _Arrival(time.monotonic()))
        arrival.num_waiting += 1
        try:
            self._feed(OpArrived(ticket, op))
            result = await asyncio.wait_for(future, _OP_TIMEOUT_S)
        except asyncio.CancelledError:
            self._feed(OpCancelled(ticket))
            raise
        except TimeoutError as error:
            self._feed(OpCancelled(ticket))
            raise _not_served(op.adapter_id) from error
        finally:
            del self._waiting[ticket]
            arrival.num_waiting -= 1
            if not arrival.num_waiting:
                del self._arrivals[key]
        if not isinstance(result, kind):
            raise ConflictError(
                f"Sequence id {op.sequence_id} of adapter {op.adapter_id!r} was another request."
            )
        return result

    def _feed(self, event: Event) -> None:
        for instruction in self._scheduler.handle(event):
            if isinstance(instruction, Answer):
                self._answer(instruction)
            elif not self._is_closed:
                self._running = asyncio.get_running_loop().create_task(self._run(instruction))

    def _answer(self, answer: Answer) -> None:
        for ticket in answer.tickets:
            future = self._waiting.get(ticket)
            if future is None or future.done():
                continue  # whoever waited has gone
            if isinstance(answer.outcome, TwinkleError):
                # A new one for each: raising the same twice would chain their tracebacks.
                future.set_exception(type(answer.outcome)(*answer.outcome.args))
            else:
                future.set_result(answer.outcome)

    async def _run(self, plan: Plan) -> None:
        keys = [(op.adapter_id, op.sequence_id) for op in plan.ops]
        arrivals = [self._arrivals.get(key) for key in keys]
        try:
            started_at, outcomes = await self._thread.call(
                lambda engine: (time.monotonic(), _carry_out(plan, engine))
            )
            outcomes = [
                _with_queue_seconds(outcome, arrival, started_at)
                for outcome, arrival in zip(outcomes, arrivals, strict=True)
            ]
        except TwinkleError as error:
            outcomes = [error] * len(plan.ops)
        except Exception:
            error_id = new_error_id()
            _LOGGER.exception("A plan of %d ops failed (%s)", len(plan.ops), error_id)
            failure = TwinkleError(f"The training step failed inside, see {error_id} in the log.")
            outcomes = [failure] * len(plan.ops)
        self._feed(PlanDone(tuple(outcomes)))
        self._plan_ended.set()


def _not_served(adapter_id: AdapterId) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"Adapter {adapter_id!r} was not served for {_OP_TIMEOUT_S:g} s."
    )


def _carry_out(plan: Plan, engine: StepEngine) -> list[Outcome]:
    match plan:
        case RunMicroBatch(ops):
            return [*engine.forward_backward(ops)]
        case RunOptimSteps(ops):
            return [*engine.optim_step(ops)]
        case RunSaves(ops):
            return [*engine.save_checkpoints(ops)]


def _with_queue_seconds(outcome: Outcome, arrival: _Arrival | None, started_at: float) -> Outcome:
    if arrival is None or not isinstance(outcome, ForwardBackwardResult):
        return outcome
    return replace(outcome, queue_seconds=started_at - arrival.at)
