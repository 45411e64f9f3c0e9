"""A probe is answered by the weights of its step, whatever else is asked for meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from tests.runs.conftest import LocalProvider, Workshop
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.runs.driver import RunDriver
from twinkle_jupyter.runtime.handles import Compute, SamplerHandle
from twinkle_jupyter.sampler.interface import SampleDelta, SampleRequest, SamplingSettings


class Chatted(SamplerHandle):
    """The true sampler, of which somebody asks `tiny@2` whenever a probe's weights are there."""

    def __init__(self, sampler: Any, folder: str) -> None:
        self._sampler, self._folder = sampler, folder
        self.answered: list[tuple[int, int]] = []
        self._held = AdapterVersion(0)

    async def hold_newest(self, trainer: Any, adapter_id: AdapterId) -> AdapterVersion:
        self._held = await self._sampler.hold_newest(trainer, adapter_id)
        asked = SampleRequest(
            (1, 40),
            SamplingSettings(max_tokens=1),
            frozenset(),
            adapter_id,
            AdapterVersion(2),
            self._folder,
        )
        async for _ in self._sampler.sample(asked):
            pass
        return self._held

    async def sample(self, request: SampleRequest) -> AsyncGenerator[SampleDelta]:
        async for delta in self._sampler.sample(request):
            if request.adapter_id is not None:
                self.answered.append((int(self._held), int(delta.version or 0)))
            yield delta

    async def put_snapshot(self, snapshot: Any) -> None: ...
    async def remove_adapter(self, adapter_id: AdapterId) -> None: ...
    async def status(self) -> Any: ...


async def test_a_probe_is_answered_by_the_weights_of_its_step(workshop: Workshop) -> None:
    run_id = await workshop.add_run(
        steps=8, checkpoint_every=2, probe=["hi"], probe_every=4, probe_tokens=2
    )
    loaded = workshop.provider.loaded
    folder = workshop.artifacts / "runs" / run_id / "checkpoints" / "step-000002"
    sampler = Chatted(loaded.sampler, str(folder))
    provider = LocalProvider(Compute(loaded.trainer, sampler), workshop.provider.model_folder)
    await RunDriver(workshop.store, workshop.artifacts, provider, run_id).drive()
    assert all(held == answered for held, answered in sampler.answered)
