"""Bodies of `/admin/…`, as `docs/operators/administration.md` has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from twinkle_jupyter.wire.notices import BroadcastBody, MaintenanceBody

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
#: The longest that anything an admin says may last: thirty days.
_MOST_S = 30 * 86_400


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class UserUseBody(_Answer):
    """What one user has and does."""

    user: str
    #: Adapters by name, and those of clients.
    num_adapters: int
    #: Of these, in the slots of a trainer now.
    num_active_adapters: int
    #: By state.
    runs: dict[str, int]
    #: Tokens of training ops that wait or are under way.
    queued_tokens: int
    #: Tokens that were trained on in the last minute.
    tokens_per_minute: int
    #: On disk: files that several checkpoints share count once.
    storage_bytes: int
    #: ISO 8601, UTC; empty for nobody of that name since the service knows.
    last_seen: str


class ModelUseBody(_Answer):
    """What one base model's trainer does."""

    base_model: str
    num_slots: int
    num_active_adapters: int
    num_adapters: int
    memory_bytes: int
    #: Ops that wait or are under way, and their tokens.
    queued_ops: int
    queued_tokens: int
    #: Of everybody, in the last minute.
    tokens_per_minute: int


class OverviewBody(_Answer):
    """Who uses what."""

    users: tuple[UserUseBody, ...]
    #: Those that are loaded and answer.
    base_models: tuple[ModelUseBody, ...]
    runs: dict[str, int]
    maintenance: MaintenanceBody | None = None
    broadcast: BroadcastBody | None = None


class DrainBody(_Request):
    """Have the service rest."""

    message: Sentence
    #: After which it is expected to be over; None for nobody knows.
    seconds: int | None = Field(default=None, ge=1, le=_MOST_S)


class DrainStateBody(_Answer):
    """Whether the service rests, and how far runs have come to rest."""

    maintenance: MaintenanceBody | None
    #: Runs that have not come to their next step's end yet.
    num_running: int
    #: Runs that rest because of it, and go on after it.
    num_held: int


class SayBody(_Request):
    """A message for everybody."""

    message: Sentence
    level: Literal["info", "warning"] = "info"
    seconds: int = Field(default=3600, ge=1, le=_MOST_S)


_Limit = Annotated[int, Field(ge=0, le=2**50)]


class LimitChanges(_Request):
    """Limits by name. 0 is no limit; null takes an earlier change back."""

    adapters: _Limit | None = None
    queued_tokens: _Limit | None = None
    tokens_per_minute: _Limit | None = None
    requests_per_second: _Limit | None = None
    longest_input: _Limit | None = None


class ChangeLimitsBody(_Request):
    """Change the limits of everybody, of a group, or of a user."""

    scope: Literal["default", "group", "user"]
    #: Of the group or user; empty for everybody.
    name: str = Field(default="", max_length=200)
    changes: LimitChanges


class ChangedLimitsBody(_Answer):
    """What was changed for somebody, and not taken back."""

    scope: Literal["default", "group", "user"]
    name: str
    changed: dict[str, int]


class LimitListBody(_Answer):
    """What the configuration says, and all changes."""

    configured: dict[str, int]
    #: What it says of single users and groups, by name.
    configured_users: dict[str, dict[str, int]]
    configured_groups: dict[str, dict[str, int]]
    changed: tuple[ChangedLimitsBody, ...]


class ActBody(_Answer):
    """One act."""

    at: str
    who: str
    what: str
    to: str
    detail: str


class AuditBody(_Answer):
    """Acts, newest first."""

    acts: tuple[ActBody, ...]
