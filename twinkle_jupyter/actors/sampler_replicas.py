"""Several samplers of one base model as one: weights go to all, an answer is written by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from typing_extensions import override

from twinkle_jupyter.actors.names import sampler_name, trainer_name
from twinkle_jupyter.actors.ray_handles import RaySamplerHandle, RayTrainerHandle
from twinkle_jupyter.actors.sampler_with_trainer import SamplerWithTrainer
from twinkle_jupyter.config.trainer_settings import SamplerPlacement
from twinkle_jupyter.errors import NotFoundError, ServiceUnavailableError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.runtime.handles import ComputeStatus, SamplerHandle, TrainerHandle
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta, SampleRequest

#: Prompts that begin alike go to the same sampler, which has read the beginning already.
_SAME_BEGINNING = 32


def find_samplers(base_model: str, num_samplers: int, placement: SamplerPlacement) -> SamplerHandle:
    """Return the handle to the samplers of a base model, however many there are, wherever.

    Raises:
        ServiceUnavailableError: One of them is not there.
    """
    if placement == "with_trainer":
        return SamplerWithTrainer(trainer_name(base_model))
    handles = [RaySamplerHandle(sampler_name(base_model, n)) for n in range(num_samplers)]
    return handles[0] if len(handles) == 1 else SamplerReplicas(handles)


class SamplerReplicas(SamplerHandle):
    """A `SamplerHandle` over several.

    An answer goes to the sampler that writes the fewest of this process; one that has died, or has
    been away while an adapter came, passes it on before the first token.
    """

    def __init__(self, handles: Sequence[RaySamplerHandle]) -> None:
        self._handles = tuple(handles)
        self._open = [0] * len(self._handles)

    @override
    async def put_snapshot(self, snapshot: AdapterSnapshot) -> None:
        await asyncio.gather(*(handle.put_snapshot(snapshot) for handle in self._handles))

    @override
    async def hold_newest(self, trainer: TrainerHandle, adapter_id: AdapterId) -> AdapterVersion:
        assert isinstance(trainer, RayTrainerHandle), "all are actors"  # noqa: S101
        # One snapshot for all: each for itself they would get different versions.
        weights = trainer.begin_snapshot(adapter_id)
        versions = await asyncio.gather(*(handle.hold(weights) for handle in self._handles))
        return versions[0]

    @override
    async def sample(self, request: SampleRequest) -> AsyncGenerator[SampleDelta]:
        order = self._order(request)
        for place, number in enumerate(order):
            is_last = place == len(order) - 1
            has_begun = False
            self._open[number] += 1
            try:
                async with aclosing(self._handles[number].sample(request)) as deltas:
                    async for delta in deltas:
                        has_begun = True
                        yield delta
            except (ServiceUnavailableError, NotFoundError):
                if has_begun or is_last:
                    raise
            else:
                return
            finally:
                self._open[number] -= 1

    @override
    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        await asyncio.gather(*(handle.remove_adapter(adapter_id) for handle in self._handles))

    @override
    async def status(self) -> ComputeStatus:
        told = await asyncio.gather(*(handle.status() for handle in self._handles))
        return ComputeStatus(
            told[0].base_model,
            is_ready=all(one.is_ready for one in told),
            num_adapters=max(one.num_adapters for one in told),
            memory_bytes=sum(one.memory_bytes for one in told),
        )

    def _order(self, request: SampleRequest) -> list[int]:
        """Return the samplers, best first: fewest answers, then who has read this beginning."""
        numbers = range(len(self._handles))
        liked = hash((request.adapter_id, request.prompt[:_SAME_BEGINNING])) % len(self._handles)
        return sorted(numbers, key=lambda number: (self._open[number], number != liked, number))
