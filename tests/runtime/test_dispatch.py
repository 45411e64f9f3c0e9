"""Several adapters at work at once: who is in one batch."""

from __future__ import annotations

import asyncio
from typing import cast

from tests.runtime.lives import Home
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import TrainerHandle
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    OptimStep,
)
from twinkle_jupyter.store.sqlite import SqliteStore


async def test_adapters_that_train_side_by_side_stay_in_one_batch(home: Home) -> None:
    """Whatever they begin with, soon no half of them waits for the other."""
    keys = [AdapterId(f"adapter-{number}") for number in range(6)]
    settings = AdamWSettings(learning_rate=1e-2)
    # Long enough rows that their senders are back while the next plan still waits for them.
    row = Example.from_sequence([5 + place % 40 for place in range(200)], [1.0] * 200)

    async def take_steps(trainer: TrainerHandle, key: AdapterId) -> None:
        for number in range(1, 60, 2):
            await asyncio.gather(
                trainer.forward_backward(ForwardBackward(key, number, (row,))),
                trainer.optim_step(OptimStep(key, number + 1, settings)),
            )

    async with home.trainer() as trainer:
        for key in keys:
            await trainer.create_adapter(key, AdapterSpec(rank=2, alpha=4.0))
        async with asyncio.TaskGroup() as tasks:
            for key in keys:
                tasks.create_task(take_steps(trainer, key))
    store = SqliteStore.open(home.life / "store.sqlite3")
    entries = [one.entry for one in await store.read("journal") if one.entry["kind"] == "plan"]
    await store.close()
    ops = [cast("list[tuple[str, int]]", entry["ops"]) for entry in entries]
    batches = [len(plan) for plan in ops if plan[0][1] % 2]
    assert sum(batches) == 30 * len(keys)
    # With none waiting it is one and five in turn, all along.
    assert batches.count(len(keys)) >= 10, batches
