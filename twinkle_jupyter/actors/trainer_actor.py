"""The trainer as an actor: a shell that loads torch only where it runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from twinkle_jupyter.actors.parent_watch import end_with_parent
from twinkle_jupyter.actors.threads import load_numpy_first, share_cores
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.engine.allocator import keep_freed_memory
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import AdapterPosition, ComputeStatus, TrainerHandle
from twinkle_jupyter.sampler.interface import AdapterSnapshot
from twinkle_jupyter.scheduling.request import (
    AdapterSpec,
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
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.telemetry import log_to_file

if TYPE_CHECKING:
    from twinkle_jupyter.engine.base_model import BaseModel


@dataclass(frozen=True, slots=True)
class JournalHome:
    """Where a trainer finds what an earlier process of it left: a log and a folder of its own."""

    open_store: Callable[[], StateStore]
    name: str
    folder: str


def _end_process() -> None:
    """Ray starts the actor again, and it goes on from its journal."""
    os._exit(1)


class TrainerActor(TrainerHandle):
    """`runtime.train_loop.TrainLoop` behind Ray."""

    def __init__(
        self,
        folder: str,
        base_model: str,
        num_threads: int,
        settings: TrainerSettings,
        log_file: str,
        journal: JournalHome,
    ) -> None:
        log_to_file(Path(log_file))
        end_with_parent()
        share_cores()
        load_numpy_first()
        # Every step asks for the same memory again.
        keep_freed_memory()
        from twinkle_jupyter.runtime.durability import JournalPlace
        from twinkle_jupyter.runtime.train_loop import TrainLoop

        place = JournalPlace(
            journal.open_store(),
            journal.name,
            Path(journal.folder),
            cut_every_s=settings.cut_every_s,
            keeps_journal=settings.keeps_journal,
            on_lost=_end_process,
        )
        self._loop = TrainLoop(
            Path(folder),
            base_model_name=base_model,
            num_threads=num_threads,
            settings=settings,
            place=place,
            on_base=self._see_base,
        )
        self._loading = asyncio.Lock()
        self._is_loaded = False

    async def start(self) -> None:
        """Load the base model unless it is loaded; every call does, since Ray restarts actors."""
        async with self._loading:
            if not self._is_loaded:
                await self._loop.start()
                self._is_loaded = True

    def _see_base(self, base: BaseModel) -> None:
        """Called in the engine's thread before the base model's modules are changed."""

    async def leave(self) -> None:
        """Bring everything to disk; nothing may be asked afterwards."""
        if self._is_loaded:
            await self._loop.close()

    @override
    async def create_adapter(
        self,
        adapter_id: AdapterId,
        spec: AdapterSpec,
        *,
        user: str = "",
        priority: Priority = "interactive",
    ) -> None:
        await self.start()
        await self._loop.create_adapter(adapter_id, spec, user=user, priority=priority)

    @override
    async def load_adapter(
        self,
        adapter_id: AdapterId,
        folder: str,
        *,
        user: str = "",
        priority: Priority = "interactive",
        fresh_optimizer: bool = False,
    ) -> int:
        await self.start()
        return await self._loop.load_adapter(
            adapter_id, folder, user=user, priority=priority, fresh_optimizer=fresh_optimizer
        )

    @override
    async def position(self, adapter_id: AdapterId) -> AdapterPosition | None:
        await self.start()
        return await self._loop.position(adapter_id)

    @override
    async def forward_backward(self, op: ForwardBackward) -> ForwardBackwardResult:
        await self.start()
        return await self._loop.forward_backward(op)

    @override
    async def optim_step(self, op: OptimStep) -> OptimStepResult:
        await self.start()
        return await self._loop.optim_step(op)

    @override
    async def save_checkpoint(self, op: SaveCheckpoint) -> CheckpointSaved:
        await self.start()
        return await self._loop.save_checkpoint(op)

    @override
    async def run_new(self, op: Op) -> OpAnswer:
        await self.start()
        return await self._loop.run_new(op)

    @override
    async def accept(self, op: Op) -> None:
        await self.start()
        await self._loop.accept(op)

    @override
    async def outcome(self, adapter_id: AdapterId, sequence_id: int) -> OpAnswer:
        await self.start()
        return await self._loop.outcome(adapter_id, sequence_id)

    @override
    async def snapshot(self, adapter_id: AdapterId) -> AdapterSnapshot:
        await self.start()
        return await self._loop.snapshot(adapter_id)

    @override
    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        await self.start()
        await self._loop.remove_adapter(adapter_id)

    @override
    async def park(self, adapter_id: AdapterId, folder: str, next_id: int) -> bool:
        await self.start()
        return await self._loop.park(adapter_id, folder, next_id)

    @override
    async def status(self) -> ComputeStatus:
        await self.start()
        return await self._loop.status()
