"""Where memory ends as an answer is let in, or grows, the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from twinkle_jupyter.errors import OutOfMemoryError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import Compute, SamplerHandle
from twinkle_jupyter.sampler import adapter_tables, kv_slabs
from twinkle_jupyter.sampler.interface import SampleDelta, SampleRequest, SamplingSettings
from twinkle_jupyter.scheduling.request import AdapterSpec

A = AdapterId("a")
SHORT = SampleRequest((1, 40, 41, 2), SamplingSettings(max_tokens=40), frozenset(), user="ada")


async def _read(sampler: SamplerHandle, request: SampleRequest) -> list[SampleDelta]:
    return [delta async for delta in sampler.sample(request)]


def _no_memory(*_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


def _no_slab(monkeypatch: pytest.MonkeyPatch) -> SampleRequest:
    make = kv_slabs.Slab.__init__

    def make_small(self: kv_slabs.Slab, capacity: int, shape: kv_slabs.KvShape) -> None:
        if capacity > 128:
            _no_memory()
        make(self, capacity, shape)

    monkeypatch.setattr(kv_slabs.Slab, "__init__", make_small)
    return replace(SHORT, prompt=tuple(range(1, 50)) * 4, user="ben")


def _no_table(monkeypatch: pytest.MonkeyPatch) -> SampleRequest:
    monkeypatch.setattr(adapter_tables.AdapterTables, "put", _no_memory)
    return replace(SHORT, adapter_id=A, user="ben")


@pytest.mark.parametrize("take_memory", [_no_slab, _no_table])
async def test_no_answer_is_lost_where_memory_ends(
    compute: Compute,
    monkeypatch: pytest.MonkeyPatch,
    take_memory: Callable[[pytest.MonkeyPatch], SampleRequest],
) -> None:
    await compute.trainer.create_adapter(A, AdapterSpec(rank=4, alpha=8.0))
    await compute.sampler.hold_newest(compute.trainer, A)
    whole = await _read(compute.sampler, SHORT)
    stream = compute.sampler.sample(SHORT)
    told = [await anext(stream)]  # ada's answer is being written
    theirs = asyncio.create_task(_read(compute.sampler, take_memory(monkeypatch)))
    told += [delta async for delta in stream]
    assert len(told) == len(whole)
    with pytest.raises(OutOfMemoryError, match="no memory to read"):
        await theirs
    monkeypatch.undo()
    assert len(await _read(compute.sampler, SHORT)) == len(whole)
