"""The loop around a training engine: ops in, plans to the engine's thread, answers out.

Scheduling happens on the event loop, which never touches a tensor; the engine's thread runs one
plan at a time, and snapshots between two of them. Whatever is answered is in the journal first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.errors import ConflictError, NotFoundError, ServiceUnavailableError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.runtime.cuts import CopiedCut
from twinkle_jupyter.runtime.dispatch import Dispatch
from twinkle_jupyter.runtime.durability import Durability, JournalPlace
from twinkle_jupyter.runtime.engine_thread import EngineThread, Progress
from twinkle_jupyter.runtime.handles import AdapterPosition, ComputeStatus
from twinkle_jupyter.runtime.journal import Journal
from twinkle_jupyter.runtime.op_intake import OP_TIMEOUT_S, OpIntake, not_served
from twinkle_jupyter.runtime.op_tickets import OpTickets
from twinkle_jupyter.runtime.plan_running import PlanResult, all_done, begin_plan
from twinkle_jupyter.runtime.taking_over import take_over
from twinkle_jupyter.runtime.user_loads import ServedTokens, trainer_status
from twinkle_jupyter.sampler.interface import AdapterSnapshot
from twinkle_jupyter.scheduling.events import (
    AdapterAdded,
    AdapterRemoved,
    Plan,
    PlanDone,
)
from twinkle_jupyter.scheduling.machine import Scheduler
from twinkle_jupyter.scheduling.request import (
    AdapterSpec,
    CheckpointCopied,
    CheckpointSaved,
    ForwardBackward,
    ForwardBackwardResult,
    Op,
    OpAnswer,
    OptimStep,
    OptimStepResult,
    Priority,
    SaveCheckpoint,
)

if TYPE_CHECKING:
    from twinkle_jupyter.engine.base_model import BaseModel
    from twinkle_jupyter.engine.step import StepEngine

_LOGGER = logging.getLogger(__name__)
R = TypeVar("R", bound=OpAnswer)


class TrainLoop:
    """A `TrainerHandle` in this process.

    Args:
        base_model_folder: Hugging Face folder with safetensors.
        base_model_name: As people know it; written into checkpoints.
        num_threads: CPU threads of the engine.
        settings: How it computes, and how many adapters it keeps.
        place: Where it keeps what it takes in and does; None for a trainer that ends with its
            process.
        on_base: Told, in the engine's thread, of the base model before its modules are changed.
    """

    def __init__(
        self,
        base_model_folder: Path,
        *,
        base_model_name: str,
        num_threads: int,
        settings: TrainerSettings | None = None,
        place: JournalPlace | None = None,
        on_base: Callable[[BaseModel], None] = lambda _: None,
    ) -> None:
        self._folder = base_model_folder
        self._base_model_name = base_model_name
        self._num_threads = num_threads
        self._settings = settings or TrainerSettings()
        self._place = place
        self._on_base = on_base
        self._thread: EngineThread[StepEngine] = EngineThread("trainer")
        self._durability = Durability(self._thread, Journal(), None, None)
        self._scheduler = Scheduler(self._settings.token_budget)
        self._tickets = OpTickets()
        self._dispatch = Dispatch(self._scheduler, self._tickets, self._begin)
        self._intake = self._build_intake()
        self._served = ServedTokens()
        self._running: asyncio.Task[None] | None = None
        self._plan_ended = asyncio.Event()
        # Creating, loading and removing take two steps each: in the engine and in the scheduler.
        self._slots_lock = asyncio.Lock()

    async def start(self, on_progress: Progress | None = None) -> None:
        """Load the base model, and make the adapters what they were in an earlier process.

        Raises what `engine.load_base_model` raises.
        """
        await self._thread.start(self._build, on_progress)
        self._durability = await Durability.open(self._thread, self._place)
        self._intake = self._build_intake()
        recovered = await self._durability.recover(on_progress or (lambda _: None))
        take_over(recovered, self._scheduler, self._dispatch, self._tickets)

    async def close(self) -> None:
        """Fail what waits, let the plan under way end, and free the base model."""
        self._dispatch.close()
        self._tickets.fail_all(ServiceUnavailableError("The trainer is closed."))
        if self._running is not None:
            await asyncio.wait([self._running], timeout=OP_TIMEOUT_S)
        await self._durability.finish_cut()
        # A later process then has nothing to repeat.
        self._durability.begin_cut(await self._copy_cut(), self._scheduler.as_added)
        await self._durability.close()
        await self._thread.close()

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
            is_new = await self._thread.call(lambda engine: engine.create_adapter(adapter_id, spec))
            if is_new:
                self._durability.added(adapter_id, spec, user, priority)
            self._dispatch.feed(AdapterAdded(adapter_id, user, priority))
        await self._durability.journal.flushed()

    async def load_adapter(
        self,
        adapter_id: AdapterId,
        folder: str,
        *,
        user: str = "",
        priority: Priority = "interactive",
        fresh_optimizer: bool = False,
    ) -> int:
        """Put a checkpoint into a slot, with its optimizer or a fresh one; return its step."""
        async with self._slots_lock:
            state = await self._thread.call(lambda engine: engine.read_checkpoint(Path(folder)))
            fresh = state.with_fresh_optimizer() if fresh_optimizer else None
            name = await self._durability.adopt(adapter_id, Path(folder), fresh)
            state = fresh or state
            replaced = ConflictError(f"Adapter {adapter_id!r} was loaded from a checkpoint.")
            self._dispatch.feed(AdapterRemoved(adapter_id, replaced))
            # A plan with one of its ops that has begun is on the thread already, before this.
            await self._thread.call(lambda engine: engine.put_adapter(adapter_id, state))
            self._durability.loaded(adapter_id, name, user, priority)
            self._dispatch.feed(AdapterAdded(adapter_id, user, priority))
        await self._durability.journal.flushed()
        return state.step

    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Free the slot; unanswered ops fail. Removing what is not there changes nothing."""
        async with self._slots_lock:
            await self._remove(adapter_id)
        await self._durability.journal.flushed()

    async def park(self, adapter_id: AdapterId, folder: str, next_id: int) -> bool:
        """Write the adapter as it is to disk, and only then free its slot."""
        state = await self._thread.call(lambda engine: engine.copy_adapter(adapter_id))
        self._durability.begin_checkpoint(folder, state)
        await self._durability.writer.finish(CheckpointCopied(state.step, folder))
        async with self._slots_lock:
            is_settled = self._scheduler.is_settled(adapter_id)
            if not is_settled or self._scheduler.next_id(adapter_id) != next_id:
                return False
            await self._remove(adapter_id)
        await self._durability.journal.flushed()
        return True

    async def _remove(self, adapter_id: AdapterId) -> None:
        why = NotFoundError(f"Adapter {adapter_id!r} was removed.")
        self._dispatch.feed(AdapterRemoved(adapter_id, why))
        await self._thread.call(lambda engine: engine.remove_adapter(adapter_id))
        self._durability.removed(adapter_id)

    async def position(self, adapter_id: AdapterId) -> AdapterPosition | None:
        """Wait until every op taken in so far is answered; None where there is no such adapter."""
        await self._thread.get_engine()
        try:
            async with asyncio.timeout(OP_TIMEOUT_S):
                while not self._scheduler.is_settled(adapter_id):
                    self._plan_ended.clear()
                    await self._plan_ended.wait()
        except TimeoutError as error:
            raise not_served(adapter_id) from error
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
        """Copy the adapter in the op's turn; answer when the copy is on disk."""
        return await self._run_op(op, CheckpointSaved)

    async def run_new(self, op: Op) -> OpAnswer:
        """Run the op in its turn, unless its sequence id is not the next free one."""
        await self._thread.get_engine()
        return await self._intake.run_new(op)

    async def accept(self, op: Op) -> None:
        """Take the op in; return once it cannot be lost."""
        await self._thread.get_engine()
        await self._intake.accept(op)

    async def outcome(self, adapter_id: AdapterId, sequence_id: int) -> OpAnswer:
        """Wait for what comes of an op that was taken in."""
        await self._thread.get_engine()
        return await self._intake.outcome(adapter_id, sequence_id)

    async def snapshot(self, adapter_id: AdapterId) -> AdapterSnapshot:
        """Copy the weights between two plans; never waits for queued ops."""
        spec, step, copy = await self._thread.call(lambda engine: engine.copy_weights(adapter_id))
        return AdapterSnapshot(adapter_id, AdapterVersion(step), spec, copy.numpy())

    async def status(self) -> ComputeStatus:
        """Answer when the base model is loaded."""
        engine, queues = await self._thread.get_engine(), self._scheduler.loads()
        return trainer_status(self._base_model_name, engine, queues, self._served)

    def _build_intake(self) -> OpIntake:
        return OpIntake(self._scheduler, self._tickets, self._dispatch, self._durability)

    def _build(self, report: Progress) -> StepEngine:
        report("Loading torch and transformers")
        from twinkle_jupyter.runtime.engine_building import build_engine

        name, threads = self._base_model_name, self._num_threads
        return build_engine(self._folder, name, threads, self._settings, report, self._on_base)

    async def _run_op(self, op: Op, kind: type[R]) -> R:
        await self._thread.get_engine()
        result = await self._intake.run(op)
        if not isinstance(result, kind):
            raise ConflictError(
                f"Sequence id {op.sequence_id} of adapter {op.adapter_id!r} was another request."
            )
        return result

    def _begin(self, plan: Plan) -> None:
        done = begin_plan(self._thread, plan)
        self._running = asyncio.get_running_loop().create_task(self._run(plan, done))
        self._running.add_done_callback(self._note_failure)

    def _note_failure(self, running: asyncio.Task[None]) -> None:
        """A plan's end went wrong by a mistake of ours: no other would ever run."""
        if not running.cancelled() and (failure := running.exception()) is not None:
            _LOGGER.error("The end of a plan failed", exc_info=failure)
            self._tickets.fail_all(ServiceUnavailableError("The trainer failed; see its log."))
            self._durability.give_up()

    async def _run(self, plan: Plan, end: Coroutine[None, None, PlanResult]) -> None:
        durability = self._durability
        done = await end
        outcomes = self._tickets.with_queue_seconds(plan.ops, done.outcomes, done.ended_at)
        await durability.record(plan, outcomes, done.token_budget)
        self._served.note([self._scheduler.user_of(op.adapter_id) for op in plan.ops], outcomes)
        for op in plan.ops:
            if isinstance(op, SaveCheckpoint) and op.adapter_id in done.copies:
                durability.begin_checkpoint(op.folder, done.copies[op.adapter_id])
        is_between = not self._scheduler.has_begun_ops and all_done(outcomes)
        is_cut_due = durability.is_cut_due(is_between_ops=is_between)
        cut = await self._copy_cut() if is_cut_due else None
        # Nothing has changed since the copy; from here on the next plan runs.
        self._dispatch.feed(PlanDone(outcomes))
        durability.begin_cut(cut, self._scheduler.as_added)
        self._plan_ended.set()

    async def _copy_cut(self) -> CopiedCut | None:
        async with self._slots_lock:  # an adapter that is only half there cannot be copied
            return await self._durability.copy_changed()
