"""A trainer's start after lives that ended early: what they took in runs one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from twinkle_jupyter.runtime.crash_guard import CrashGuard
from twinkle_jupyter.runtime.engine_thread import EngineThread
from twinkle_jupyter.runtime.journal import Journal
from twinkle_jupyter.runtime.plan_running import answers_of, begin_plan
from twinkle_jupyter.runtime.recovery import Recovery
from twinkle_jupyter.scheduling.events import plan_of
from twinkle_jupyter.scheduling.request import Op

if TYPE_CHECKING:
    from twinkle_jupyter.engine.step import StepEngine


async def carry_out_pending(
    thread: EngineThread[StepEngine], recovery: Recovery, journal: Journal, guard: CrashGuard
) -> None:
    """Carry out, or refuse, every op that an earlier life took in and whose turn it is."""
    guilty = guard.find_guilty(recovery.recovered.pending)
    for op in _in_turn(recovery):
        error = guilty.get((op.adapter_id, op.sequence_id))
        if error is not None:
            journal.refuse(op, error)
            recovery.answer(op, error)
            continue
        await guard.before(op)
        done = await begin_plan(thread, plan_of([op]))
        [(_, outcome)] = answers_of([op], done.outcomes)  # a whole op is in one plan
        journal.record([op], [outcome], done.token_budget)
        await journal.flushed()
        recovery.answer(op, outcome)
        recovery.keep_copy(op, outcome, done.copies)
    await guard.survived()


def _in_turn(recovery: Recovery) -> Iterator[Op]:
    """Return pending ops that nobody cancelled, each adapter's in its order; they are answered."""
    recovered = recovery.recovered
    for adapter_id in list(recovered.queues):
        while True:
            number = recovered.queues[adapter_id].next_id
            while (adapter_id, number) in recovered.cancelled:
                number += 1  # spent when the next one is answered
            if (adapter_id, number) not in recovered.pending:
                break
            yield recovered.pending[adapter_id, number][1]
