"""A trainer of an earlier process, made again: the newest cut, then every plan since, in order.

The same rows in the same company on the same machine give the same bits, so that what was answered
stays true. An adapter whose folder cannot be read is left out, whoever drives it goes on from its
last checkpoint, and the others are as they were.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from twinkle_jupyter.errors import CANCELLED, ConflictError, NotFoundError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.cuts import Cut, read_queue
from twinkle_jupyter.runtime.journal import OpKey
from twinkle_jupyter.runtime.op_codec import decode_op, decode_outcome, decode_spec
from twinkle_jupyter.runtime.plan_running import carry_out
from twinkle_jupyter.scheduling.events import (
    AdapterAdded,
    Outcome,
    Plan,
    PlanOutcome,
    RunMicroBatch,
    plan_of,
)
from twinkle_jupyter.scheduling.op_part import OpPart, PartDone, whole
from twinkle_jupyter.scheduling.request import CheckpointCopied, ForwardBackward, Op, Priority
from twinkle_jupyter.store.interface import LogEntry, Row

if TYPE_CHECKING:
    from twinkle_jupyter.engine.adapter_bank import AdapterState
    from twinkle_jupyter.engine.step import StepEngine

_LOGGER = logging.getLogger(__name__)

#: As many as a queue keeps.
_MAX_ANSWERS = 32


@dataclass(slots=True)
class Recovered:
    """What a scheduler and a journal go on from."""

    queues: dict[AdapterId, AdapterAdded] = field(default_factory=dict)
    #: Ops that were taken in and not carried out, with their positions in the journal.
    pending: dict[OpKey, tuple[int, Op]] = field(default_factory=dict)
    #: Of these, those for which nobody waits.
    cancelled: set[OpKey] = field(default_factory=set)
    #: Adapters that are not as the cut has them.
    changed: set[AdapterId] = field(default_factory=set)
    num_plans: int = 0


@dataclass(frozen=True, slots=True)
class RecordedOp:
    """An op of a plan as the journal has it."""

    op: Op
    #: Why it failed; None for one that did not.
    error: Outcome | None
    #: Where the plan's part of it begins and stops; empty for the whole op.
    rows: Sequence[int]

    @property
    def adapter_id(self) -> AdapterId:
        """Whose it is."""
        return self.op.adapter_id

    @property
    def start(self) -> int:
        """The row that the plan began with."""
        return self.rows[0] if self.rows else 0


class Recovery:
    """Repeats a journal on an engine that has no adapters yet. Runs on the engine's thread.

    Args:
        engine: Of the same base model.
        cut: What to begin with.
        folder: Where the cut's folders are.
    """

    def __init__(self, engine: StepEngine, cut: Cut, folder: Path) -> None:
        self._engine = engine
        self._cut = cut
        self._folder = folder
        self.recovered = Recovered()
        #: Copies that checkpoints are to be written from, by their folders.
        self.unwritten: dict[str, AdapterState] = {}

    def restore(self) -> None:
        """Put every adapter of the cut where it was."""
        self._engine.adapters.restore(self._cut.arrangement, self._read)

    def _read(self, adapter_id: AdapterId) -> AdapterState | None:
        folder = self._folder / self._cut.folders[adapter_id]
        try:
            state = self._engine.read_checkpoint(folder)
            self.recovered.queues[adapter_id] = read_queue(folder, adapter_id)
        except (TwinkleError, OSError, ValueError) as error:
            _LOGGER.warning("adapter %s is lost with folder %s: %s", adapter_id, folder, error)
            return None
        return state

    def repeat(self, entries: Sequence[LogEntry]) -> None:
        """Do again what the next entries of the journal say was done."""
        for entry in entries:
            row = entry.entry
            if row["kind"] == "op":
                self._take_in(entry.position, row)
            elif row["kind"] == "cancelled":
                self.recovered.cancelled |= {_key_of(row)} & self.recovered.pending.keys()
            elif entry.position > self._cut.position:
                self._repeat_one(row)
            elif row["kind"] in {"added", "loaded", "removed"}:
                # The cut has what came of it; ops from before were another adapter's.
                self._drop_ops(AdapterId(cast("str", row["adapter"])))

    def _take_in(self, position: int, row: Row) -> None:
        key = _key_of(row)
        queue = self.recovered.queues.get(key[0])
        # Of before the cut only what was not carried out then is still of interest.
        if queue is not None and key[1] >= queue.next_id:
            self.recovered.pending[key] = (position, decode_op(*key, cast("Row", row["op"])))
            self.recovered.cancelled.discard(key)

    def _repeat_one(self, row: Row) -> None:
        match row["kind"]:
            case "added" | "loaded":
                self._repeat_arrival(row)
            case "removed":
                self.drop(AdapterId(cast("str", row["adapter"])))
            case "refused":
                if (key := _key_of(row)) in self.recovered.pending:
                    error = decode_outcome(cast("Row", row["error"]))
                    self.answer(self.recovered.pending[key][1], error)
            case "saved":
                self.unwritten.pop(cast("str", row["folder"]), None)
            case "plan":
                self._repeat_plan(row)
            case kind:
                raise ValueError(f"a journal has an entry of kind {kind!r}")

    def _repeat_arrival(self, row: Row) -> None:
        adapter_id = AdapterId(cast("str", row["adapter"]))
        self._drop_ops(adapter_id)
        try:
            if row["kind"] == "added":
                self._engine.create_adapter(adapter_id, decode_spec(cast("Row", row["spec"])))
            else:
                folder = self._folder / cast("str", row["folder"])
                self._engine.put_adapter(adapter_id, self._engine.read_checkpoint(folder))
        except TwinkleError as error:
            _LOGGER.warning("adapter %s is lost: %s", adapter_id, error)
            self.drop(adapter_id)
            return
        priority = cast("Priority", row["priority"])
        added = AdapterAdded(adapter_id, cast("str", row["user"]), priority)
        self.recovered.queues[adapter_id] = added
        self.recovered.changed.add(adapter_id)

    def _repeat_plan(self, row: Row) -> None:
        recorded = [one for one in self._read_plan(row) if self._goes_on(one)]
        if not recorded:
            return
        failed = [one for one in recorded if one.error is not None]
        if len(failed) == len(recorded) and isinstance(recorded[0].op, ForwardBackward):
            # They left nothing, and what ended a whole plan from inside would end this life, too.
            # A step that fails may throw a gradient away, and brings its adapter into a slot.
            for one in failed:
                self._conclude(one, one.error, {})
            return
        self._engine.token_budget = cast("int", row["budget"])
        before = {one.adapter_id: self._copy(one.adapter_id) for one in failed}
        outcomes, copies = carry_out(_plan_of(recorded), self._engine)
        self.recovered.num_plans += 1
        for one, outcome in zip(recorded, outcomes, strict=True):
            state = before.get(one.adapter_id)
            if state is not None and not isinstance(outcome, TwinkleError):
                # It had less memory then, say: it must not learn from what it was told has failed.
                self._engine.put_adapter(one.adapter_id, state)
            self._conclude(one, outcome if one.error is None else one.error, copies)

    def _copy(self, adapter_id: AdapterId) -> AdapterState | None:
        try:
            return self._engine.copy_adapter(adapter_id)
        except NotFoundError:
            return None  # which may be what it failed for

    def _read_plan(self, row: Row) -> Iterator[RecordedOp]:
        """Return the plan's ops that are of adapters that there are."""
        failed = cast("dict[str, Row]", row["failed"])
        rows = cast("dict[str, Sequence[int]]", row.get("rows", {}))
        for index, (name, number) in enumerate(cast("Sequence[tuple[str, int]]", row["ops"])):
            adapter_id, place = AdapterId(name), str(index)
            if adapter_id not in self.recovered.queues:
                continue
            if (adapter_id, number) not in self.recovered.pending:
                _LOGGER.error("adapter %s is lost: op %d is missing", adapter_id, number)
                self.drop(adapter_id)
                continue
            op = self.recovered.pending[adapter_id, number][1]
            error = decode_outcome(failed[place]) if place in failed else None
            yield RecordedOp(op, error, tuple(rows.get(place, ())))

    def _goes_on(self, one: RecordedOp) -> bool:
        """See that what a part goes on from is there; drop an adapter where it cannot be."""
        op, start = one.op, one.start
        if start == 0 or not isinstance(op, ForwardBackward):
            return True
        done = self._engine.partial_ops.num_rows(op)
        if start == done:
            return True
        if done == 0:
            # The cut is of the middle of the op: what came before it, by itself.
            [outcome], _ = carry_out(RunMicroBatch((OpPart(op, 0, start),)), self._engine)
            if isinstance(outcome, PartDone):
                return True
        _LOGGER.error("adapter %s is lost: op %d has a gap", one.adapter_id, one.op.sequence_id)
        self.drop(one.adapter_id)
        return False

    def _conclude(
        self,
        one: RecordedOp,
        outcome: PlanOutcome | None,
        copies: Mapping[AdapterId, AdapterState],
    ) -> None:
        if outcome is None or isinstance(outcome, PartDone):
            return
        if isinstance(outcome, TwinkleError) and one.error is None:
            _LOGGER.error("op %d of %s fails now: %s", one.op.sequence_id, one.adapter_id, outcome)
            self.drop(one.adapter_id)
        else:
            self.keep_copy(one.op, outcome, copies)
            self.answer(one.op, outcome)

    def keep_copy(self, op: Op, outcome: Outcome, copies: Mapping[AdapterId, AdapterState]) -> None:
        """Keep what a checkpoint is written from, until the journal says that it is whole."""
        if isinstance(outcome, CheckpointCopied):
            self.unwritten[outcome.folder] = copies[op.adapter_id]

    def answer(self, op: Op, outcome: Outcome) -> None:
        """Count a pending op as answered."""
        queue = self.recovered.queues[op.adapter_id]
        answers = dict(queue.answers)
        for number in range(queue.next_id, op.sequence_id):
            # Its turn came, and nobody waited for it.
            self._forget((op.adapter_id, number))
            answers[number] = ConflictError(
                f"Sequence id {number} of adapter {op.adapter_id!r} was cancelled.", "", CANCELLED
            )
        answers[op.sequence_id] = outcome
        newest = dict(sorted(answers.items())[-_MAX_ANSWERS:])
        self.recovered.queues[op.adapter_id] = replace(
            queue, next_id=op.sequence_id + 1, answers=newest
        )
        self.recovered.changed.add(op.adapter_id)
        self._forget((op.adapter_id, op.sequence_id))

    def drop(self, adapter_id: AdapterId) -> None:
        """Forget an adapter and its ops."""
        self._engine.remove_adapter(adapter_id)
        self.recovered.queues.pop(adapter_id, None)
        self.recovered.changed.discard(adapter_id)
        self._drop_ops(adapter_id)

    def _drop_ops(self, adapter_id: AdapterId) -> None:
        for key in [key for key in self.recovered.pending if key[0] == adapter_id]:
            self._forget(key)

    def _forget(self, key: OpKey) -> None:
        self.recovered.pending.pop(key, None)
        self.recovered.cancelled.discard(key)


def _plan_of(recorded: Sequence[RecordedOp]) -> Plan:
    """Return the plan as it was; its ops are of one kind."""
    passes = [
        OpPart(one.op, *one.rows) if one.rows else whole(one.op)
        for one in recorded
        if isinstance(one.op, ForwardBackward)
    ]
    return RunMicroBatch(tuple(passes)) if passes else plan_of([one.op for one in recorded])


def _key_of(row: Row) -> OpKey:
    return AdapterId(cast("str", row["adapter"])), cast("int", row["sequence"])
