"""Trainer and sampler in one actor, over one copy of the base model.

Each has its loop and its thread, as in processes of their own: a pass of the sampler waits for no
training pass to end, and neither can use up the machine. On a processor the system shares its cores
among the threads of both; on a GPU each thread has a stream, whose kernels run in turns.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from twinkle_jupyter.actors.sampler_shell import SamplerShell
from twinkle_jupyter.actors.trainer_actor import JournalHome, TrainerActor
from twinkle_jupyter.config.trainer_settings import SamplerSettings, TrainerSettings
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import ComputeStatus
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta, SampleRequest

if TYPE_CHECKING:
    from twinkle_jupyter.engine.base_model import BaseModel


class TrainerWithSamplerActor(TrainerActor):
    """Both loops behind Ray; what both have a word for is the trainer's.

    Args:
        folder: Of the base model.
        base_model: Its name.
        num_threads: CPU threads of each.
        settings: Of the trainer, and of the sampler.
        log_file: Of both.
        journal: Where the trainer finds what an earlier process of it left.
    """

    def __init__(
        self,
        folder: str,
        base_model: str,
        num_threads: int,
        settings: tuple[TrainerSettings, SamplerSettings],
        log_file: str,
        journal: JournalHome,
    ) -> None:
        for_trainer, for_sampler = settings
        self._shared: BaseModel | None = None
        super().__init__(folder, base_model, num_threads, for_trainer, log_file, journal)
        from twinkle_jupyter.runtime.sample_loop import SampleLoop

        self._sampler = SamplerShell(
            SampleLoop(
                Path(folder),
                base_model_name=base_model,
                num_threads=num_threads,
                settings=for_sampler,
                take_base=self._take_base,
            ),
            # Its base model is the trainer's.
            prepare=self.start,
        )

    async def start_sampler(self) -> None:
        """Take the trainer's base model when it is loaded, unless that was done."""
        await self._sampler.start()

    async def put_snapshot(self, snapshot: AdapterSnapshot) -> int:
        """Hold these weights, the adapter's default from now on; return their version."""
        return await self._sampler.put_snapshot(snapshot)

    async def hold_newest(self, adapter_id: AdapterId) -> int:
        """Hold the weights that the trainer has now; return their version."""
        await self.start_sampler()
        return await self._sampler.put_snapshot(await self._loop.snapshot(adapter_id))

    async def sample(self, key: str, request: SampleRequest) -> AsyncGenerator[SampleDelta]:
        """Stream the answer; `cancel(key)` ends it at once."""
        async with aclosing(self._sampler.sample(key, request)) as deltas:
            async for delta in deltas:
                yield delta

    async def cancel(self, key: str) -> None:
        """End the stream of this key if it is going on."""
        await self._sampler.cancel(key)

    async def forget_versions(self, adapter_id: AdapterId) -> None:
        """Let the sampler forget the adapter; the trainer keeps it."""
        await self._sampler.remove_adapter(adapter_id)

    async def sampler_status(self) -> ComputeStatus:
        """Answer for the sampler; the base model is counted by the trainer."""
        return await self._sampler.status()

    @override
    def _see_base(self, base: BaseModel) -> None:
        self._shared = base.share()

    def _take_base(self) -> BaseModel:
        if self._shared is None:
            raise ServiceUnavailableError("The trainer has no base model to share.")
        # Modules of its own each time: one that could not be put to use may have changed them.
        return self._shared.share()
