"""What lets a trainer outlive its process: its journal, its cuts, and the thread that writes both.

A trainer without a place for them trains just the same, and ends with its process.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.engine.arrangement import Arrangement
from twinkle_jupyter.errors import NotFoundError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.careful_start import carry_out_pending
from twinkle_jupyter.runtime.checkpoint_writer import CheckpointWriter
from twinkle_jupyter.runtime.crash_guard import CrashGuard
from twinkle_jupyter.runtime.cuts import CopiedCut, Cuts
from twinkle_jupyter.runtime.engine_thread import EngineThread, Progress
from twinkle_jupyter.runtime.forgotten import find_forgotten, is_forgotten
from twinkle_jupyter.runtime.journal import Journal
from twinkle_jupyter.runtime.plan_running import answers_of
from twinkle_jupyter.runtime.recovery import Recovered, Recovery
from twinkle_jupyter.scheduling.events import (
    AdapterAdded,
    Plan,
    PlanOutcome,
    RunMicroBatch,
)
from twinkle_jupyter.scheduling.request import AdapterSpec, Priority
from twinkle_jupyter.store.interface import LogEntry, StateStore

if TYPE_CHECKING:
    from twinkle_jupyter.engine.adapter_bank import AdapterState
    from twinkle_jupyter.engine.step import StepEngine

_LOGGER = logging.getLogger(__name__)

_PAGE = 200


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """Where one trainer keeps what it must not forget."""

    store: StateStore
    #: Of the journal in the store; one trainer at a time may use it.
    name: str
    #: Of this trainer alone.
    folder: Path
    #: Seconds between two cuts at least: what a restart has to repeat at most.
    cut_every_s: float = 20.0
    #: Keep the whole journal, so that a training can be repeated from its beginning.
    keeps_journal: bool = False
    #: Called when the store cannot be written to for long: what is in memory is ahead of it, and
    #: only a process that begins anew is right again.
    on_lost: Callable[[], None] = lambda: None


class Durability:
    """Everything of a trainer that is not the engine's or the scheduler's."""

    def __init__(
        self,
        thread: EngineThread[StepEngine],
        journal: Journal,
        cuts: Cuts | None,
        place: JournalPlace | None,
    ) -> None:
        self._thread = thread
        self.journal = journal
        self.writer = CheckpointWriter() if cuts is None else cuts.writer
        self._cuts = cuts
        self._place = place
        self._guard = None if place is None else CrashGuard(place.store, place.name)
        self._writing: asyncio.Task[bool] | None = None

    @classmethod
    async def open(cls, thread: EngineThread[StepEngine], place: JournalPlace | None) -> Durability:
        """Go on with what is in that place; nowhere, nothing is kept."""
        if place is None:
            return cls(thread, Journal(), None, None)
        journal = await Journal.open(place.store, place.name, place.on_lost)
        cuts = Cuts(
            place.store,
            place.name,
            place.folder,
            CheckpointWriter(),
            every_s=place.cut_every_s,
            keeps_journal=place.keeps_journal,
        )
        return cls(thread, journal, cuts, place)

    async def recover(self, report: Progress) -> Recovered:
        """Make the engine what it was, and tell what scheduler and callers go on from."""
        if self._cuts is None or self._place is None or self._guard is None:
            return Recovered()
        await self._guard.begin_life()
        engine = await self._thread.get_engine()
        cut = await self._cuts.read()
        recovery = Recovery(engine, cut, self._place.folder)
        await self._thread.call(lambda _: recovery.restore())
        after, told = cut.read_after, 0
        while page := await self._place.store.read(self._place.name, after, _PAGE):
            await self._thread.call(functools.partial(_repeat, recovery, page))
            after = page[-1].position
            if recovery.recovered.num_plans > told:
                told = recovery.recovered.num_plans
                report(f"Repeating what came after the last snapshot, {told} plans so far")
        recovered = recovery.recovered
        for adapter_id in set(cut.folders) - recovered.queues.keys():
            self._cuts.remove(adapter_id)
        positions = {key: position for key, (position, _) in recovered.pending.items()}
        self.journal.resume(positions, recovered.cancelled)
        if self._guard.is_careful:
            report("The last starts ended early: carrying out one op after another")
            await carry_out_pending(self._thread, recovery, self.journal, self._guard)
        await self._thread.call(lambda engine: engine.partial_ops.forget_all())
        for adapter_id in recovered.changed:
            self._cuts.change(adapter_id)
        for folder, state in recovery.unwritten.items():
            self.begin_checkpoint(folder, state)
        await self._let_go(recovery, self._place)
        return recovered

    async def _let_go(self, recovery: Recovery, place: JournalPlace) -> None:
        """Remove what was given up while no trainer was there."""
        for adapter_id in await find_forgotten(place.store, place.name):
            if adapter_id in recovery.recovered.queues:
                await self._thread.call(functools.partial(_drop, recovery, adapter_id))
                self.removed(adapter_id)
                await self.journal.flushed()
            await is_forgotten(place.store, place.name, adapter_id)

    async def record(self, plan: Plan, outcomes: Sequence[PlanOutcome], token_budget: int) -> None:
        """A plan has ended, and the process has not."""
        rows = plan.rows if isinstance(plan, RunMicroBatch) else {}
        self.journal.record(plan.ops, outcomes, token_budget, rows)
        answered = [op for op, _ in answers_of(plan.ops, outcomes)]
        for op in answered:
            self.changed(op.adapter_id)
        if answered and self._guard is not None:
            await self._guard.survived()

    def begin_checkpoint(self, folder: str, state: AdapterState) -> None:
        """Write a copy of an adapter beside training."""
        engine = self._thread.engine
        self.writer.begin(
            folder, lambda: engine.write_checkpoint(Path(folder), state), self.journal.saved
        )

    def added(
        self, adapter_id: AdapterId, spec: AdapterSpec, user: str, priority: Priority
    ) -> None:
        """An adapter got its first weights."""
        self.journal.add_adapter(adapter_id, spec, user, priority)
        self.changed(adapter_id)

    async def adopt(
        self, adapter_id: AdapterId, folder: Path, state: AdapterState | None = None
    ) -> str:
        """Keep a checkpoint from elsewhere, or a `state`, as long as it is needed; return its name.

        Args:
            adapter_id: Whose it becomes.
            folder: Where the checkpoint is.
            state: What the adapter begins with where that is not the checkpoint as it is.
        """
        cuts, position = self._cuts, self.journal.position
        if cuts is None:
            return ""
        if state is None:
            return await asyncio.to_thread(cuts.adopt, adapter_id, folder, position)
        engine = self._thread.engine
        return await asyncio.to_thread(cuts.adopt_state, engine, adapter_id, state, position)

    def loaded(self, adapter_id: AdapterId, name: str, user: str, priority: Priority) -> None:
        """An adapter is as a folder has it that was adopted."""
        self.journal.load_adapter(adapter_id, name, user, priority)
        if self._cuts is not None:
            self._cuts.loaded(adapter_id, name)

    def removed(self, adapter_id: AdapterId) -> None:
        """An adapter is gone."""
        self.journal.remove_adapter(adapter_id)
        if self._cuts is not None:
            self._cuts.remove(adapter_id)

    def changed(self, adapter_id: AdapterId) -> None:
        """An adapter's state or queue is another one."""
        if self._cuts is not None:
            self._cuts.change(adapter_id)

    def is_cut_due(self, *, is_between_ops: bool) -> bool:
        """Whether it is time to copy what has changed; rather not while an op is partly done."""
        return self._cuts is not None and self._cuts.is_due(is_between_ops=is_between_ops)

    async def copy_changed(self) -> CopiedCut | None:
        """Copy what has changed, if anything; nobody may change an adapter meanwhile."""
        changed = frozenset() if self._cuts is None else self._cuts.changed
        if not changed:
            return None
        try:
            states, arrangement = await self._thread.call(lambda engine: _copy(engine, changed))
        except TwinkleError as error:
            _LOGGER.warning("no cut at position %d: %s", self.journal.position, error)
            return None
        return CopiedCut(self.journal.position, arrangement, states)

    def begin_cut(
        self, cut: CopiedCut | None, queue_of: Callable[[AdapterId], AdapterAdded]
    ) -> None:
        """Write a copied cut, if any, beside training; `queue_of` tells how the queues were."""
        if cut is None:
            return
        queues: Mapping[AdapterId, AdapterAdded] = {key: queue_of(key) for key in cut.states}
        for key, queue in queues.items():
            self.journal.settle(key, queue.next_id)
        cuts, journal = self._cuts, self.journal
        if cuts is not None:
            self._writing = asyncio.get_running_loop().create_task(
                cuts.write(self._thread.engine, cut, queues, journal, journal.first_needed)
            )

    async def finish_cut(self) -> None:
        """Wait for the cut that is being written, if any: the next one builds on it."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def give_up(self) -> None:
        """What is in memory is right no more; only a process that begins anew is."""
        if self._place is not None:
            self._place.on_lost()

    async def close(self) -> None:
        """Finish what is being written."""
        await self.finish_cut()
        await self.writer.close()


def _repeat(recovery: Recovery, page: Sequence[LogEntry], _: StepEngine) -> None:
    recovery.repeat(page)


def _drop(recovery: Recovery, adapter_id: AdapterId, _: StepEngine) -> None:
    recovery.drop(adapter_id)


def _copy(
    engine: StepEngine, changed: frozenset[AdapterId]
) -> tuple[dict[AdapterId, AdapterState], Arrangement]:
    states: dict[AdapterId, AdapterState] = {}
    for adapter_id in changed:
        try:
            states[adapter_id] = engine.copy_adapter(adapter_id)
        except NotFoundError as error:
            # Its file was spilled and is unreadable; whoever drives it loads a checkpoint.
            _LOGGER.warning("adapter %s is in no cut: %s", adapter_id, error)
    # Afterwards: one that is lost is nowhere any more.
    return states, engine.adapters.arrangement()
