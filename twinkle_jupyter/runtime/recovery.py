"""A trainer of an earlier process, made again: the newest cut, then every plan since, in order.

The same rows in the same company on the same machine give the same bits, so that what was answered
stays true. An adapter whose folder cannot be read is left out, whoever drives it goes on from its
last checkpoint, and the others are as they were.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from twinkle_jupyter.errors import CANCELLED, ConflictError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.cuts import Cut, read_queue
from twinkle_jupyter.runtime.journal import OpKey
from twinkle_jupyter.runtime.op_codec import decode_op, decode_outcome, decode_spec
from twinkle_jupyter.runtime.plan_running import carry_out
from twinkle_jupyter.scheduling.events import AdapterAdded, Outcome, plan_of
from twinkle_jupyter.scheduling.request import CheckpointCopied, Op, Priority
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
        failed = cast("dict[str, Row]", row["failed"])
        errors: dict[AdapterId, Row | None] = {}
        ops = []
        for index, (name, number) in enumerate(cast("Sequence[tuple[str, int]]", row["ops"])):
            adapter_id = AdapterId(name)
            if adapter_id not in self.recovered.queues:
                continue
            if (adapter_id, number) not in self.recovered.pending:
                _LOGGER.error("adapter %s is lost: op %d is missing", adapter_id, number)
                self.drop(adapter_id)
                continue
            ops.append(self.recovered.pending[adapter_id, number][1])
            errors[adapter_id] = failed.get(str(index))
        if not ops:
            return
        self._engine.token_budget = cast("int", row["budget"])
        outcomes, copies = carry_out(plan_of(ops), self._engine)
        self.recovered.num_plans += 1
        for op, outcome in zip(ops, outcomes, strict=True):
            error = errors[op.adapter_id]
            if isinstance(outcome, TwinkleError) and error is None:
                _LOGGER.error("op %d of %s fails now: %s", op.sequence_id, op.adapter_id, outcome)
                self.drop(op.adapter_id)
                continue
            self.keep_copy(op, outcome, copies)
            self.answer(op, outcome if error is None else decode_outcome(error))

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


def _key_of(row: Row) -> OpKey:
    return AdapterId(cast("str", row["adapter"])), cast("int", row["sequence"])
