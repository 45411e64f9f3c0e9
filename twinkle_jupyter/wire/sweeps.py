"""Bodies of sweeps, as `docs/reference/native-api.md` has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from twinkle_jupyter.wire.native import RunState

SweepState = Literal["queued", "running", "finished", "stopped", "failed"]
Grid = dict[str, list[JsonValue]]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class StartSweepBody(_Request):
    """A grid of runs on the same records; settings and grid are checked by the domain."""

    name: str
    config: dict[str, JsonValue] = Field(default_factory=dict)
    #: Values by setting.
    grid: Grid
    records: list[dict[str, JsonValue]]
    #: What is left at each rung is a `halving`-th; None does not halve.
    halving: int | None = Field(default=None, ge=2, le=64)


class PruneBody(_Request):
    """Members to end early, by adapter, run id, or adapter without the sweep's name."""

    members: list[_Name] = Field(min_length=1, max_length=64)


class ExtendSweepBody(_Request):
    """More values; settings that are left out have all the values that they had."""

    grid: Grid


class SweepMemberBody(_Answer):
    """One run of a sweep."""

    run_id: str
    adapter: str
    #: Where it differs from the others.
    settings: dict[str, JsonValue]
    state: RunState
    step: int
    #: 0 until the rows have been counted.
    total_steps: int
    #: Mean training loss of the newest steps.
    loss: float | None
    eval_loss: float | None
    #: Wall time of a step at the present pace; None before the first.
    seconds_per_step: float | None = None
    #: 1 is the best.
    rank: int
    #: The step at which it was ended before its last, and who did it; None and empty if nobody.
    pruned_at: int | None
    pruned_by: Literal["", "hand", "halving"]
    #: `[step, loss]`, at most 200 each; empty unless asked for.
    points: list[tuple[int, float]] = Field(default_factory=list)
    eval_points: list[tuple[int, float]] = Field(default_factory=list)


class SweepBody(_Answer):
    """One sweep, its members in the order of the grid."""

    sweep_id: str
    name: str
    state: SweepState
    config: dict[str, JsonValue]
    grid: Grid
    halving: int | None
    members: tuple[SweepMemberBody, ...]
    #: Adapter that is ahead, and once the sweep is over, the one that its name stands for.
    best: str
    created_at: str


class SweepSummaryBody(_Answer):
    """One sweep in a list."""

    sweep_id: str
    name: str
    state: SweepState
    num_members: int
    num_active: int
    #: Empty until it is over.
    best: str
    created_at: str


class SweepListBody(_Answer):
    """All sweeps of a user, newest first."""

    sweeps: tuple[SweepSummaryBody, ...]
