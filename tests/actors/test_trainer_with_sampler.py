"""Both loops in one actor, called as Ray would call it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from twinkle_jupyter.actors import trainer_actor
from twinkle_jupyter.actors.trainer_actor import JournalHome
from twinkle_jupyter.actors.trainer_with_sampler_actor import TrainerWithSamplerActor
from twinkle_jupyter.config.trainer_settings import SamplerSettings, TrainerSettings
from twinkle_jupyter.sampler.interface import SampleDelta, SampleRequest, SamplingSettings
from twinkle_jupyter.store.opening import open_store

REQUEST = SampleRequest((1, 40, 41, 2), SamplingSettings(max_tokens=3), frozenset())
#: What an actor does to its process, which is the tests' own here.
_PROCESS_WIDE = ("log_to_file", "end_with_parent", "share_cores", "keep_freed_memory")


async def test_a_stream_that_is_cancelled_while_the_base_model_loads_says_nothing(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _PROCESS_WIDE:
        monkeypatch.setattr(trainer_actor, name, lambda *_: None)
    opening = partial(open_store, tmp_path / "store.sqlite3", 60.0)
    actor = TrainerWithSamplerActor(
        str(tiny_model),
        "tiny",
        1,
        (TrainerSettings(scratch=str(tmp_path / "scratch")), SamplerSettings()),
        str(tmp_path / "actor.log"),
        JournalHome(opening, "tiny", str(tmp_path)),
    )

    async def read(key: str) -> list[SampleDelta]:
        return [delta async for delta in actor.sample(key, REQUEST)]

    streams = [asyncio.create_task(read(key)) for key in ("left", "read")]
    await asyncio.sleep(0)  # both wait for the base model now
    await actor.cancel("left")
    left, answer = await asyncio.wait_for(asyncio.gather(*streams), 60)

    assert left == []
    assert answer[-1].finish_reason == "length"
    assert (await actor.sampler_status()).is_ready
    await actor.leave()
