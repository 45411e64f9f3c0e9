"""A run's log as its driver writes it: every step, eval, probe and checkpoint exactly once.

A driver that takes over from one that died may do again what was already told; here is where it is
not told twice.
"""

from __future__ import annotations

import hashlib
from typing import Self, cast

from twinkle_jupyter.runs.events import (
    CheckpointSavedEvent,
    EvalDone,
    Planned,
    ProbeAnswered,
    RunEvent,
    StateChanged,
    Steered,
    StepDone,
)
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import TERMINAL_STATES, RunRow, RunState

_PAGE = 2000


class RunLog:
    """Appends events of one run, skipping what is already there."""

    def __init__(self, store: StateStore, run_id: str) -> None:
        self._store = store
        self._log = RunRow.log(run_id)
        self._told: set[tuple[str, int, int]] = set()
        self._state = ""
        self._curve = hashlib.sha256()
        #: The newest step that was told, 0 for none.
        self.last_step = 0
        #: Of the newest step that was told.
        self.last_loss: float | None = None
        #: Eval losses by step, in order.
        self.evals: dict[int, float] = {}
        #: What was changed while the run was going on, in order.
        self.steered: list[Row] = []

    @classmethod
    async def open(cls, store: StateStore, run_id: str) -> Self:
        """Read what was told so far."""
        log, after = cls(store, run_id), 0
        while page := await store.read(RunRow.log(run_id), after, _PAGE):
            for entry in page:
                log._note(entry.entry)
            after = page[-1].position
        return log

    @property
    def curve_sha256(self) -> str:
        """SHA-256 over the losses of all steps."""
        return self._curve.hexdigest()

    @property
    def terminal_state(self) -> RunState | None:
        """The state that ended the run, None while it can go on."""
        return next((state for state in TERMINAL_STATES if state == self._state), None)

    def has(self, event: RunEvent) -> bool:
        """Tell whether this very thing was told before."""
        key = _event_key(event)
        return key is not None and key in self._told

    async def append(self, event: RunEvent) -> bool:
        """Add the event unless it is there; tell whether it was added."""
        if self.has(event):
            return False
        entry = event.to_entry()
        await self._store.append(self._log, entry)
        self._note(entry)
        return True

    def _note(self, entry: Row) -> None:
        """Remember what of an entry is asked for again."""
        match entry["kind"]:
            case StateChanged.kind:
                self._state = str(entry["state"])
            case StepDone.kind:
                self.last_step = _number(entry, "step")
                self.last_loss = cast("float", entry["loss"])
                self._curve.update(f"{float(self.last_loss).hex()}\n".encode())
            case EvalDone.kind:
                self.evals[_number(entry, "step")] = cast("float", entry["loss"])
            case Steered.kind:
                self.steered.append(entry)
        self._told.add(_entry_key(entry))


def _event_key(event: RunEvent) -> tuple[str, int, int] | None:
    """Identify what may be told once only; None for states, progress and commands."""
    match event:
        case StepDone(step=step) | EvalDone(step=step) | CheckpointSavedEvent(step=step):
            return (event.kind, step, 0)
        case ProbeAnswered(step=step, index=index):
            return (event.kind, step, index)
        case Planned():
            return (event.kind, 0, 0)
        case _:
            return None


def _entry_key(entry: Row) -> tuple[str, int, int]:
    return (str(entry["kind"]), _number(entry, "step"), _number(entry, "index"))


def _number(entry: Row, field: str) -> int:
    value = entry.get(field, 0)
    return value if isinstance(value, int) else 0
