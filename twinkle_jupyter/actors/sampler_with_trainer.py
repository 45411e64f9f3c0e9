"""The handle to a sampler that lives in its trainer's actor: weights cross no process border."""

from __future__ import annotations

from typing_extensions import override

from twinkle_jupyter.actors.ray_handles import CONTROL_TIMEOUT_S, RaySamplerHandle
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.runtime.handles import ComputeStatus, TrainerHandle


class SamplerWithTrainer(RaySamplerHandle):
    """A `SamplerHandle` over a `TrainerWithSamplerActor`, by the trainer's name."""

    @override
    async def hold_newest(self, trainer: TrainerHandle, adapter_id: AdapterId) -> AdapterVersion:
        version = await self._actor.ask(int, CONTROL_TIMEOUT_S, "hold_newest", adapter_id)
        return AdapterVersion(version)

    @override
    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        await self._actor.tell(CONTROL_TIMEOUT_S, "forget_versions", adapter_id)

    @override
    async def status(self) -> ComputeStatus:
        return await self._actor.ask(ComputeStatus, CONTROL_TIMEOUT_S, "sampler_status")
