"""An op that ends the process, and what it can do to others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from tests.runtime.lives import SPECS, A, B, Home, row
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.op_part import OpPart
from twinkle_jupyter.scheduling.request import (
    ForwardBackward,
    ForwardBackwardResult,
)


async def test_an_op_that_ends_every_process_is_refused_in_the_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine stops for good where a process would end; what is on disk then is what counts."""
    ended, is_over = asyncio.Event(), threading.Event()
    loop, compute = asyncio.get_running_loop(), StepEngine.forward_backward_parts

    def end(engine: StepEngine, parts: Sequence[OpPart]) -> object:
        if any(part.adapter_id == A for part in parts):
            loop.call_soon_threadsafe(ended.set)
            is_over.wait(60)
        return compute(engine, parts)

    async def live() -> list[object] | None:
        """Return what was answered, None if the life ended before."""
        ended.clear()
        is_over.clear()
        trainer, store = home.make()
        working = asyncio.create_task(_work_with_both(trainer))
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        has_ended = ending.done()
        # What was taken in is being written while it is computed: here it just came to disk.
        await trainer._durability.journal.flushed()
        await asyncio.to_thread(home.end_life)
        ending.cancel()
        is_over.set()
        await asyncio.wait([working])
        await trainer.close()
        await store.close()
        return None if has_ended else working.result()

    monkeypatch.setattr(StepEngine, "forward_backward_parts", end)
    num_ended = 0
    while (answers := await live()) is None:
        num_ended += 1
        assert num_ended < 8
    guilty, innocent = answers
    assert isinstance(guilty, RunFailedError)
    assert "ended 2 times while it carried out op 1 of adapter 'a'" in str(guilty)
    assert isinstance(innocent, ForwardBackwardResult)
    assert num_ended == 4


async def _work_with_both(trainer: TrainLoop) -> list[object]:
    await trainer.start()
    for key in (A, B):
        await trainer.create_adapter(key, SPECS[key])
    ops = (ForwardBackward(key, 1, (row(key, 1),)) for key in (A, B))
    return [*await asyncio.gather(*map(trainer.forward_backward, ops), return_exceptions=True)]
