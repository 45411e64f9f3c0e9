"""Rows of the store: one dataclass a kind, and where each is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import ClassVar, Literal, Self, cast

from twinkle_jupyter.config.trainer_settings import DtypeChoice
from twinkle_jupyter.ids import AdapterId, RunId
from twinkle_jupyter.store.interface import JSON, Row

RunState = Literal["queued", "running", "paused", "interrupted", "finished", "stopped", "failed"]
#: States that a run never leaves.
TERMINAL_STATES: frozenset[RunState] = frozenset({"finished", "stopped", "failed"})
#: Log that wakes the drivers: `{"run_id": …}` for a new run, and with `"command": …` for a wish.
RUNS_LOG = "runs"


def ends_run(entry: Mapping[str, object]) -> bool:
    """Whether no entry of a run's log can follow this one."""
    return entry.get("kind") == "state" and entry.get("state") in TERMINAL_STATES


def now() -> str:
    """Return this moment in UTC as ISO 8601."""
    return datetime.now(tz=UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run: what was asked, and how far it is."""

    run_id: RunId
    owner: str
    adapter_id: AdapterId
    adapter: str
    #: `RunConfig` as JSON.
    config: Row
    #: SHA-256 over configuration and records: the same cell run twice has the same.
    fingerprint: str
    state: RunState = "queued"
    #: What the user last asked for; the driver reads it before each step.
    wanted: Literal["running", "paused", "stopped"] = "running"
    #: One sentence for `failed`, empty otherwise.
    reason: str = ""
    step: int = 0
    #: 0 until the rows have been counted.
    total_steps: int = 0
    #: Newest mean loss over supervised tokens; None before the first step.
    loss: float | None = None
    #: Folder name of the newest checkpoint under the run's artifacts, empty before the first.
    checkpoint: str = ""
    #: Changes that the user asked for, oldest first, each `{setting: value}`, counted from 1; one
    #: with `at_step` waits for that step.
    #: Which of them the run has taken, and at which step, is in its log.
    wishes: Sequence[Row] = ()
    #: Whether the run, once it is over, leaves the newest weights or the best ones.
    keep: Literal["last", "best"] = "last"
    #: The checkpoint with the lowest eval loss so far; empty, 0 and None before the first.
    best_checkpoint: str = ""
    best_step: int = 0
    best_loss: float | None = None
    #: The run that this one went on from, and its step; empty and 0 for one from nothing.
    parent_run: str = ""
    parent_step: int = 0
    #: Rows that the parent had trained on by then, counted over all epochs.
    parent_rows: int = 0
    #: Of a run that repeats another one: digests of the `base_model` and the `template` that it
    #: needs. Else empty.
    repeats: Mapping[str, str] = field(default_factory=dict)
    #: The step after which it stops by itself, as the other one was stopped; 0 for none.
    stop_after: int = 0
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)

    @staticmethod
    def key(run_id: RunId | str) -> str:
        """Where the row is kept."""
        return f"run/{run_id}"

    @staticmethod
    def log(run_id: RunId | str) -> str:
        """The run's event log: everything a panel shows."""
        return f"run/{run_id}"

    @property
    def is_over(self) -> bool:
        """Whether the state can no longer change."""
        return self.state in TERMINAL_STATES

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))  # type: ignore[arg-type]

    def changed(self, **changes: JSON) -> Self:
        """Return a copy with these fields changed and `updated_at` set to now."""
        return replace(self, updated_at=now(), **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class CheckpointLabel:
    """A name that somebody gave a checkpoint, which stays for it."""

    label: str
    #: ISO 8601, UTC; empty for one that stays for good.
    expires_at: str = ""

    @staticmethod
    def key(run_id: RunId | str, checkpoint: str) -> str:
        """Where the row is kept; all of a run's are under `key(run_id, "")`."""
        return f"checkpoint-label/{run_id}/{checkpoint}"

    @property
    def has_expired(self) -> bool:
        """Whether it keeps its checkpoint no longer."""
        return bool(self.expires_at) and self.expires_at <= now()

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key, known only by its SHA-256."""

    owner: str
    created_at: str = field(default_factory=now)
    #: What its owner calls it, to know which one to revoke; may be empty.
    label: str = ""
    #: Whether its user may administer the service.
    is_admin: bool = False
    #: Of its user: what is shared with these they may read.
    groups: Sequence[str] = ()

    @staticmethod
    def key(digest: str) -> str:
        """Where the row is kept; all of them, or those that begin so, with a part of a digest."""
        return f"api-key/{digest}"

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """What the compute side is doing, for everybody who waits for it."""

    KEY: ClassVar[str] = "service/phase"

    phase: Literal["stopped", "starting", "ready", "failed"]
    #: One sentence for people: "Starting Ray", "Loading weights of …".
    message: str = ""
    updated_at: str = field(default_factory=now)

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))


@dataclass(frozen=True, slots=True)
class BaseModelRow:
    """A base model that somebody wants, and how far it is on its way into memory."""

    name: str
    phase: Literal["wanted", "fetching", "loading", "ready", "failed"] = "wanted"
    #: One sentence: what goes on, or why it failed.
    message: str = ""
    #: Absolute folder of the weights; set from `loading` on.
    folder: str = ""
    #: Number type of weights and activations, and why that one; set from `loading` on.
    dtype: str = ""
    dtype_reason: str = ""
    #: Samplers that share its answers.
    num_samplers: int = 1
    #: Whether they are actors of their own, or the one is in the trainer's.
    sampler_placement: Literal["apart", "with_trainer"] = "apart"

    PREFIX: ClassVar[str] = "base-model/"
    #: Log to which every wish is appended, to wake whoever loads.
    LOG: ClassVar[str] = "base-models"

    @classmethod
    def key(cls, name: str) -> str:
        """Where the row is kept."""
        return f"{cls.PREFIX}{name}"

    @property
    def computed_in(self) -> str:
        """The number type, and why that one."""
        return str(DtypeChoice(self.dtype, self.dtype_reason))  # type: ignore[arg-type]

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))  # type: ignore[arg-type]
