"""Cuts: every adapter of a trainer as it was between two plans, written beside training.

A cut counts once its row is in the store, and the row is put when every folder that it names is
whole. Until then the one before counts, and the journal still has everything since. An adapter that
did not change keeps the folder it has.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from twinkle_jupyter.engine.arrangement import Arrangement
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.checkpoint_writer import CheckpointWriter
from twinkle_jupyter.runtime.journal import Journal
from twinkle_jupyter.runtime.op_codec import decode_outcome, encode_outcome
from twinkle_jupyter.scheduling.events import AdapterAdded
from twinkle_jupyter.scheduling.request import Priority
from twinkle_jupyter.store.artifacts import (
    MANIFEST_FILE,
    commit_folder,
    delete_folder,
    link_or_copy,
    list_folders,
)
from twinkle_jupyter.store.interface import Row, StateStore

if TYPE_CHECKING:
    from twinkle_jupyter.engine.adapter_bank import AdapterState
    from twinkle_jupyter.engine.step import StepEngine

_LOGGER = logging.getLogger(__name__)

_QUEUE_FILE = "queue.json"
#: Of folders that a journal's beginning needs, and not a cut alone.
_LOADED_SUFFIX = "-loaded"
#: Writing takes at most this share of the time.
_SHARE = 0.1
#: Times the usual wait for a moment in which no op is partly done. What a cut leaves out of an op's
#: parts is repeated by itself, and its last bits are others then.
_PATIENCE = 3


@dataclass(frozen=True, slots=True)
class Cut:
    """What the store says of the newest cut."""

    #: What ops the plans up to this position of the journal have ended is in the adapters.
    position: int = 0
    #: Ops that were not carried out at the cut may stand from after this position on.
    read_after: int = 0
    arrangement: Arrangement = field(default_factory=Arrangement)
    #: Folder of each adapter, by name.
    folders: Mapping[AdapterId, str] = field(default_factory=dict)

    def to_row(self) -> Row:
        """Return the cut as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        arrangement = Arrangement(**cast("dict[str, list[AdapterId]]", row["arrangement"]))
        folders = cast("dict[AdapterId, str]", row["folders"])
        return cls(
            cast("int", row["position"]), cast("int", row["read_after"]), arrangement, folders
        )


@dataclass(frozen=True, slots=True)
class CopiedCut:
    """A cut in memory."""

    position: int
    arrangement: Arrangement
    #: Those that have changed since the cut before.
    states: Mapping[AdapterId, AdapterState]


class Cuts:
    """Writes and reads the cuts of one trainer.

    Args:
        store: Has the row.
        name: Of the trainer's journal, and of its row.
        folder: Of the trainer alone.
        writer: Writes the folders.
        every_s: Seconds between two cuts at least.
        keeps_journal: Cut nothing off the journal, so that all of it can be repeated.
    """

    def __init__(
        self,
        store: StateStore,
        name: str,
        folder: Path,
        writer: CheckpointWriter,
        *,
        every_s: float,
        keeps_journal: bool,
    ) -> None:
        self.writer = writer
        self._store = store
        self._name = name
        self._key = f"trainer/{name}"
        self._folder = folder
        self._every_s = every_s
        self._keeps_journal = keeps_journal
        self._folders: dict[AdapterId, str] = {}
        self._known: set[AdapterId] = set()
        self._changed: set[AdapterId] = set()
        #: Folders that belong to nobody yet.
        self._adopting: set[str] = set()
        self._is_writing = False
        self._written_at = time.monotonic()
        self._wait_s = every_s

    def is_due(self, *, is_between_ops: bool) -> bool:
        """Whether it is time to copy one; rather not while an op is partly done."""
        wait_s = self._wait_s if is_between_ops else _PATIENCE * self._wait_s
        is_time = time.monotonic() - self._written_at >= wait_s
        return is_time and bool(self._changed) and not self._is_writing

    @property
    def changed(self) -> frozenset[AdapterId]:
        """Adapters that are not as their folders have them."""
        return frozenset(self._changed)

    def path(self, name: str) -> Path:
        """Return one of this trainer's folders."""
        return self._folder / name

    def change(self, adapter_id: AdapterId) -> None:
        """Take note that an adapter's state or queue is another one."""
        self._known.add(adapter_id)
        self._changed.add(adapter_id)

    def remove(self, adapter_id: AdapterId) -> None:
        """Take note that an adapter is gone."""
        self._known.discard(adapter_id)
        self._changed.discard(adapter_id)
        self._folders.pop(adapter_id, None)

    async def read(self) -> Cut:
        """Return the newest cut; an empty one before the first."""
        row = await self._store.get(self._key)
        cut = Cut() if row is None else Cut.from_row(row)
        self._folders = dict(cut.folders)
        self._known = set(cut.folders)
        return cut

    def adopt(self, adapter_id: AdapterId, source: Path, position: int) -> str:
        """Make a checkpoint from elsewhere one of this trainer's folders; blocks.

        The files are the same ones under another name where the disk allows it.
        """
        name = self._name_adopted(adapter_id, position)
        commit_folder(self.path(name), lambda target: _link_files(source, target), replace=True)
        return name

    def adopt_state(
        self, engine: StepEngine, adapter_id: AdapterId, state: AdapterState, position: int
    ) -> str:
        """Write a state that is no checkpoint's as one of this trainer's folders; blocks."""
        name = self._name_adopted(adapter_id, position)
        engine.write_checkpoint(self.path(name), state)
        return name

    def _name_adopted(self, adapter_id: AdapterId, position: int) -> str:
        name = f"{adapter_id}-{position:012d}{_LOADED_SUFFIX}"
        self._adopting.add(name)
        return name

    def loaded(self, adapter_id: AdapterId, name: str) -> None:
        """An adapter is as this folder has it, which must stay for it."""
        self._folders[adapter_id] = name
        self._adopting.discard(name)
        self.change(adapter_id)

    async def write(
        self,
        engine: StepEngine,
        cut: CopiedCut,
        queues: Mapping[AdapterId, AdapterAdded],
        journal: Journal,
        first_needed: int,
    ) -> bool:
        """Write the cut; tell whether it counts now. If not, the one before still does."""
        self._is_writing = True
        self._changed -= set(cut.states)
        before = dict(self._folders)
        started = time.monotonic()
        try:
            names = {
                key: await self._write_adapter(engine, key, cut, queues[key]) for key in cut.states
            }
            await journal.flushed()
            read_after = min(cut.position, first_needed - 1)
            kept = {key: names.get(key) or before[key] for key in cut.arrangement.everyone}
            row = Cut(cut.position, read_after, cut.arrangement, kept).to_row()
            await self._store.put(self._key, row)
            still = self._known - self._changed
            self._folders |= {key: name for key, name in names.items() if key in still}
            await self._tidy(read_after, {*kept.values(), *self._folders.values(), *self._adopting})
        except (TwinkleError, OSError) as error:
            _LOGGER.warning("no cut at position %d: %s", cut.position, error)
            self._changed |= self._known & set(cut.states)
            return False
        else:
            return True
        finally:
            self._is_writing = False
            self._written_at = time.monotonic()
            self._wait_s = max(self._every_s, (self._written_at - started) / _SHARE)

    async def _write_adapter(
        self, engine: StepEngine, adapter_id: AdapterId, cut: CopiedCut, queue: AdapterAdded
    ) -> str:
        name = f"{adapter_id}-{cut.position:012d}"
        more = {_QUEUE_FILE: json.dumps(_encode_queue(queue))}
        state = cut.states[adapter_id]
        await self.writer.run(lambda: engine.write_checkpoint(self.path(name), state, more))
        return name

    async def _tidy(self, read_after: int, names: set[str]) -> None:
        kept_suffix = _LOADED_SUFFIX
        if not self._keeps_journal:
            kept_suffix = ""
            await self._store.truncate(self._name, read_after)
        await self.writer.run(lambda: _delete_others(self._folder, names, kept_suffix))


def read_queue(folder: Path, adapter_id: AdapterId) -> AdapterAdded:
    """Return the queue as it was at the cut."""
    row = json.loads((folder / _QUEUE_FILE).read_text(encoding="utf-8"))
    answers = {int(key): decode_outcome(value) for key, value in row["answers"].items()}
    priority = cast("Priority", row["priority"])
    return AdapterAdded(adapter_id, row["user"], priority, row["next_id"], answers)


def _encode_queue(queue: AdapterAdded) -> Row:
    return {
        "user": queue.user,
        "priority": queue.priority,
        "next_id": queue.next_id,
        "answers": {str(key): encode_outcome(value) for key, value in queue.answers.items()},
    }


def _link_files(source: Path, target: Path) -> None:
    for file in source.iterdir():
        if file.name != MANIFEST_FILE and file.is_file():
            link_or_copy(file, target / file.name)


def _delete_others(folder: Path, names: set[str], kept_suffix: str) -> None:
    for name in list_folders(folder):
        if name not in names and not (kept_suffix and name.endswith(kept_suffix)):
            delete_folder(folder / name)
