"""Body of `GET /overview`: all that a sidebar shows of a user's work, in one answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from twinkle_jupyter.wire.native import AdapterBody, Phase, RunState, Wanted
from twinkle_jupyter.wire.notices import BroadcastBody, MaintenanceBody
from twinkle_jupyter.wire.usage import LimitBody


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class RunSummaryBody(_Answer):
    """One run in a list, with as much of its curve as a sparkline has room for."""

    run_id: str
    adapter: str
    base_model: str
    rank: int
    state: RunState
    wanted: Wanted
    #: One sentence for `failed`, empty otherwise.
    reason: str
    step: int
    #: 0 until the rows have been counted.
    total_steps: int
    loss: float | None
    #: Name of the newest checkpoint; empty before the first.
    checkpoint: str
    parent_run: str
    parent_step: int
    created_at: str
    updated_at: str
    #: Of the newest steps, the median; None before the first.
    seconds_per_step: float | None = None
    #: `[step, loss]`, at most 49; empty for runs that are over and not among the newest.
    points: list[tuple[int, float]] = Field(default_factory=list)


class LoadedModelBody(_Answer):
    """One base model, and what its trainer holds."""

    name: str
    #: `ready` when it is loaded.
    phase: str
    #: What goes on, or why it failed; may be empty.
    message: str
    #: Number type, and why that one; empty until it is known.
    computed_in: str
    #: Adapters that the trainer holds, of all users; None while it does not say.
    num_adapters: int | None
    #: Adapters that one step can train; more take turns.
    num_slots: int
    #: Of base model and adapters in the trainer; None while it does not say.
    memory_bytes: int | None


class UserOverviewBody(_Answer):
    """What a user has and what the service does."""

    #: Other content has another tag; `seen` takes it.
    tag: str
    version: str
    phase: Phase
    #: One sentence about the phase; may be empty.
    message: str
    #: Those that are not over and the newest others, newest first.
    runs: tuple[RunSummaryBody, ...]
    #: Runs that are over and not in the list.
    num_older_runs: int
    adapters: tuple[AdapterBody, ...]
    base_models: tuple[LoadedModelBody, ...]
    limits: tuple[LimitBody, ...]
    #: Runs of this user that wait for their turn.
    num_queued_runs: int
    #: What an admin tells everybody; None for nothing.
    maintenance: MaintenanceBody | None = None
    broadcast: BroadcastBody | None = None
