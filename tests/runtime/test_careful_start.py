"""What a careful start carries out is in the next cut, like everything else."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runtime.lives import SPECS, A, B, Home, row, step_of, weights_of
from twinkle_jupyter.runtime.handles import AdapterPosition
from twinkle_jupyter.runtime.op_codec import encode_op
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.request import AdamWSettings, ForwardBackward, OptimStep
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.sqlite import SqliteStore


async def _live_and_end_well(home: Home) -> None:
    """A life that ends with both adapters in its last cut and nothing after it."""
    trainer, store = home.make()
    await trainer.start()
    for key in (A, B):
        await trainer.create_adapter(key, SPECS[key])
        await step_of(trainer, key, 1)
    await trainer.close()
    await store.close()


async def _die_early(home: Home) -> None:
    """What lives leave that took in A's second step and ended before any op did."""
    ops = (
        ForwardBackward(A, 3, (row(A, 2),)),
        OptimStep(A, 4, AdamWSettings(learning_rate=1e-2)),
    )
    entries: list[Row] = [
        {"kind": "op", "adapter": A, "sequence": op.sequence_id, "op": encode_op(op)} for op in ops
    ]
    store = SqliteStore.open(home.life / "store.sqlite3")
    await store.append_all("journal", entries)
    await store.put("trainer-lives/journal", {"lives": 2, "begun": {}})
    await store.close()


async def _cut(trainer: TrainLoop) -> None:
    """A cut as it is taken when it is due."""
    durability = trainer._durability
    durability.begin_cut(await trainer._copy_cut(), trainer._scheduler.as_added)
    assert durability._writing is not None
    assert await durability._writing


async def test_what_a_careful_start_has_changed_is_in_the_next_cut(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    await _live_and_end_well(home)
    await _die_early(home)
    async with home.trainer() as careful:
        # Another's step makes a cut worth it; the journal ends behind it.
        await step_of(careful, B, 2)
        await _cut(careful)
        at = AdapterPosition(5, 2, has_gradient=False)
        assert await careful.position(A) == at
        weights = await weights_of(careful, (A, B))
    async with home.trainer() as trainer:
        assert await trainer.position(A) == at
        for ours, theirs in zip(await weights_of(trainer, (A, B)), weights, strict=True):
            assert np.array_equal(ours, theirs)
    assert "is lost" not in caplog.text
