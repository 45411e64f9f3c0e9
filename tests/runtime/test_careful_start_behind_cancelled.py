"""A careful start goes on behind an op that was cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.runtime.lives import SPECS, A, B, Home, row
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.runtime.op_codec import encode_op
from twinkle_jupyter.scheduling.op_part import OpPart
from twinkle_jupyter.scheduling.request import ForwardBackward
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.sqlite import SqliteStore


@dataclass
class Deaths:
    """An op of a number ends its process, as often as it is carried out."""

    number: int
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: threading.Event = field(default_factory=threading.Event)

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compute = StepEngine.forward_backward_parts

        def end(engine: StepEngine, parts: Sequence[OpPart]) -> object:
            if any(part.op.sequence_id == self.number for part in parts):
                self.loop.call_soon_threadsafe(self.ended.set)
                self.is_over.wait(60)
            return compute(engine, parts)

        monkeypatch.setattr(StepEngine, "forward_backward_parts", end)

    async def live(self, home: Home) -> bool:
        """Begin a life; tell whether A's second op was refused in it, and did not end it."""
        self.ended.clear()
        self.is_over.clear()
        trainer, store = home.make()
        starting = asyncio.create_task(trainer.start())
        ending = asyncio.create_task(self.ended.wait())
        outcome: asyncio.Task[object] | None = None
        await asyncio.wait([starting, ending], return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            outcome = asyncio.create_task(trainer.outcome(A, self.number))
            await asyncio.wait([outcome, ending], return_when=asyncio.FIRST_COMPLETED)
        has_ended = ending.done()
        await trainer._durability.journal.flushed()
        await asyncio.to_thread(home.end_life)
        ending.cancel()
        self.is_over.set()
        await asyncio.wait([starting])
        await trainer.close()
        await store.close()
        if outcome is None:
            return False
        if has_ended:
            await asyncio.wait([outcome])
            outcome.exception()
            return False
        with pytest.raises(RunFailedError, match="ended 2 times"):
            await outcome
        return True


async def _write_journal(home: Home) -> None:
    """A's first op was cancelled and spent, its second taken in; B's waits beside them."""
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await trainer.create_adapter(B, SPECS[B])
        await trainer._durability.journal.flushed()
    ops = [
        ForwardBackward(B, 1, (row(B, 1),)),
        *(ForwardBackward(A, number, (row(A, number),)) for number in (1, 2)),
    ]
    entries: list[Row] = [
        {
            "kind": "op",
            "adapter": op.adapter_id,
            "sequence": op.sequence_id,
            "op": encode_op(op),
        }
        for op in ops
    ]
    entries.insert(2, {"kind": "cancelled", "adapter": A, "sequence": 1})
    store = SqliteStore.open(home.life / "store.sqlite3")
    await store.append_all("journal", entries)
    await store.close()


async def test_an_op_behind_a_cancelled_one_is_refused_in_the_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _write_journal(home)
    deaths = Deaths(2, asyncio.get_running_loop())
    deaths.patch(monkeypatch)
    for _ in range(12):
        if await deaths.live(home):
            return
    pytest.fail("every life was ended by the same op")
