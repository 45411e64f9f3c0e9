"""An op that was cancelled, and told to be, stays so in the next life."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from tests.runtime.lives import SPECS, A, B, Home, row
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import ConflictError
from twinkle_jupyter.runtime.handles import AdapterPosition
from twinkle_jupyter.scheduling.op_part import OpPart
from twinkle_jupyter.scheduling.request import ForwardBackward

pytestmark = pytest.mark.usefixtures("no_company")


async def test_what_was_told_to_be_cancelled_stays_so_in_the_next_life(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go, compute = threading.Event(), StepEngine.forward_backward_parts

    def wait(engine: StepEngine, parts: Sequence[OpPart]) -> object:
        may_go.wait(60)
        return compute(engine, parts)

    async with home.trainer() as trainer:
        for key in (A, B):
            await trainer.create_adapter(key, SPECS[key])
        with monkeypatch.context() as patch:
            patch.setattr(StepEngine, "forward_backward_parts", wait)
            # B's plan is under way; A's op is ready, and whoever sent it goes.
            theirs = asyncio.create_task(
                trainer.forward_backward(ForwardBackward(B, 1, (row(B, 1),)))
            )
            await asyncio.wait([theirs], timeout=0.05)
            ours = asyncio.create_task(
                trainer.forward_backward(ForwardBackward(A, 1, (row(A, 1),)))
            )
            await asyncio.wait([ours], timeout=0.05)
            ours.cancel()
            await asyncio.wait([ours])
            may_go.set()
            await theirs
        with pytest.raises(ConflictError, match="cancelled"):
            await trainer.outcome(A, 1)
        before = await trainer.position(A)
        assert before == AdapterPosition(2, 0, has_gradient=False)
        await trainer._durability.journal.flushed()
    async with home.trainer() as trainer:
        after = await trainer.position(A)
        assert after == before
