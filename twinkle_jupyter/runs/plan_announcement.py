"""What a run's log says of its rows before the first step: how many, and what is odd about them."""

from __future__ import annotations

from twinkle_jupyter.runs.batches import Batches
from twinkle_jupyter.runs.events import Noticed, Planned
from twinkle_jupyter.runs.memory_plan import MemoryPlan
from twinkle_jupyter.runs.run_log import RunLog


async def announce_plan(
    log: RunLog, batches: Batches, total_steps: int, memory: MemoryPlan
) -> None:
    """Tell what is planned, with a notice of the warnings; once in the life of a run."""
    planned = Planned(
        total_steps=total_steps,
        num_train_rows=len(batches.train),
        num_eval_rows=len(batches.evaluation),
        memory_bytes=memory.needed,
        machine_bytes=memory.machine,
    )
    if log.has(planned):
        return
    if batches.warnings:
        # Before the plan: a driver that dies between the two says it twice, and never not at all.
        await log.append(Noticed(step=0, message=" ".join(batches.warnings)))
    await log.append(planned)
