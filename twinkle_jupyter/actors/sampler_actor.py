"""The sampler as an actor: a shell that loads torch only where it runs.

A stream that crosses a process border cannot be closed from the other side: it has a key, by which
another call ends it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.actors.parent_watch import end_with_parent
from twinkle_jupyter.actors.threads import load_numpy_first, share_cores
from twinkle_jupyter.config.trainer_settings import SamplerSettings
from twinkle_jupyter.engine.allocator import keep_freed_memory
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import ComputeStatus
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta, SampleRequest
from twinkle_jupyter.telemetry import log_to_file

if TYPE_CHECKING:
    from twinkle_jupyter.runtime.sample_loop import SampleLoop
    from twinkle_jupyter.runtime.vllm_loop import VllmLoop


class SamplerActor:
    """`runtime.sample_loop.SampleLoop` behind Ray."""

    def __init__(
        self,
        folder: str,
        base_model: str,
        num_threads: int,
        settings: SamplerSettings,
        log_file: str,
    ) -> None:
        log_to_file(Path(log_file))
        end_with_parent()
        share_cores()
        load_numpy_first()
        # Every pass and every snapshot asks for the same memory again.
        keep_freed_memory()
        self._loop = _build_loop(Path(folder), base_model, num_threads, settings)
        self._loading = asyncio.Lock()
        self._is_loaded = False
        #: Keys of streams that were not cancelled.
        self._waiting: set[str] = set()

    async def start(self) -> None:
        """Load the base model unless it is loaded; every call does, since Ray restarts actors."""
        async with self._loading:
            if not self._is_loaded:
                await self._loop.start()
                self._is_loaded = True

    async def put_snapshot(self, snapshot: AdapterSnapshot) -> int:
        """Hold these weights, the adapter's default from now on; return their version."""
        await self.start()
        await self._loop.put_snapshot(snapshot)
        return snapshot.version

    async def sample(self, key: str, request: SampleRequest) -> AsyncGenerator[SampleDelta]:
        """Stream the answer; `cancel(key)` ends it at once."""
        self._waiting.add(key)
        try:
            await self.start()
            if key not in self._waiting:
                return
            async with aclosing(self._loop.sample(request, key)) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            self._waiting.discard(key)

    async def cancel(self, key: str) -> None:
        """End the stream of this key if it is going on."""
        self._waiting.discard(key)
        self._loop.cancel(key)

    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Forget all versions."""
        await self.start()
        await self._loop.remove_adapter(adapter_id)

    async def status(self) -> ComputeStatus:
        """Answer when the base model is loaded."""
        await self.start()
        return await self._loop.status()


def _build_loop(
    folder: Path, base_model: str, num_threads: int, settings: SamplerSettings
) -> SampleLoop | VllmLoop:
    if settings.engine == "vllm":
        from twinkle_jupyter.runtime.vllm_loop import VllmLoop

        return VllmLoop(
            folder,
            base_model_name=base_model,
            num_threads=num_threads,
            settings=settings,
            # Ray starts the actor again, and with it vLLM.
            on_lost=lambda: os._exit(1),
        )
    from twinkle_jupyter.runtime.sample_loop import SampleLoop

    return SampleLoop(
        folder, base_model_name=base_model, num_threads=num_threads, settings=settings
    )
