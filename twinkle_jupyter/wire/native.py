"""Bodies of the native protocol, as `docs/reference/native-api.md` has them.

Requests refuse unknown fields; answers ignore them, so that an older client reads a newer service.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from twinkle_jupyter.wire.notices import BroadcastBody, MaintenanceBody

RunState = Literal["queued", "running", "paused", "interrupted", "finished", "stopped", "failed"]
Wanted = Literal["running", "paused", "stopped"]
Phase = Literal["stopped", "starting", "ready", "failed"]
FinishReason = Literal["stop", "length", "cancelled"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ErrorDetail(_Answer):
    """What is wrong and what to do about it."""

    code: str
    message: str
    hint: str = ""


class ErrorBody(_Answer):
    """The body of every status of 400 and above."""

    error: ErrorDetail


class HealthBody(_Answer):
    """The service answers."""

    status: Literal["ok"] = "ok"


class ServiceBody(_Answer):
    """What the service is and does."""

    version: str
    phase: Phase
    #: One sentence about the phase; may be empty.
    message: str
    base_models: tuple[str, ...]
    #: By base model that is loaded: its number type, and why that one.
    computed_in: dict[str, str] = Field(default_factory=dict)
    num_active_runs: int
    #: What an admin tells everybody, and that the service rests for maintenance.
    broadcast: BroadcastBody | None = None
    maintenance: MaintenanceBody | None = None


class StartRunBody(_Request):
    """A new run. Both parts are checked by the domain, which names every mistake."""

    config: dict[str, JsonValue]
    records: list[dict[str, JsonValue]]
    #: An adapter whose newest weights the run begins with, or a path; None begins anew.
    from_adapter: str | None = Field(default=None, min_length=1, max_length=200)
    #: A run to repeat: what `GET /runs/{run}/record` said of it. Rows and settings must be its own,
    #: but for the adapter's name and what the base model is called.
    repeats: dict[str, JsonValue] | None = None


class RunBody(_Answer):
    """One run."""

    run_id: str
    adapter: str
    state: RunState
    wanted: Wanted
    #: One sentence for `failed`, empty otherwise.
    reason: str
    step: int
    #: 0 until the rows have been counted.
    total_steps: int
    loss: float | None
    config: dict[str, JsonValue]
    #: Name and absolute folder of the newest checkpoint; empty before the first.
    checkpoint: str
    checkpoint_folder: str
    created_at: str
    updated_at: str
    last_event_id: int
    #: The settings as they are or are wished to be by now; `config` is what it was started with.
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    #: The run that it went on from, and its step; empty and 0 for one from nothing.
    parent_run: str = ""
    parent_step: int = 0
    #: The step with the lowest eval loss; 0, None and empty before the first.
    best_step: int = 0
    best_loss: float | None = None
    best_checkpoint: str = ""
    #: Which weights it leaves at its end.
    keep: Literal["last", "best"] = "last"


class SetBody(_Request):
    """Other settings for a run that goes on; the domain names every mistake."""

    changes: dict[str, JsonValue]


class StopBody(_Request):
    """Which weights a run that is stopped is to leave."""

    keep: Literal["last", "best"] = "last"


class ForkBody(_Request):
    """A new run from a step of another one."""

    #: None for the newest checkpoint.
    step: int | None = Field(default=None, ge=1, le=2**53)
    #: Empty for the next name that is free.
    adapter: str = ""
    changes: dict[str, JsonValue] = Field(default_factory=dict)


class RewindBody(_Request):
    """An earlier step of a run to go on from, under the same name."""

    step: int = Field(ge=1, le=2**53)
    changes: dict[str, JsonValue] = Field(default_factory=dict)


class KeepBody(_Request):
    """A checkpoint to make or to keep."""

    name: str = Field(default="", max_length=200)
    #: None keeps it for good.
    ttl_seconds: int | None = Field(default=None, ge=1, le=10 * 366 * 86_400)


class CheckpointBody(_Answer):
    """One of a run's checkpoints."""

    step: int
    name: str
    #: Absolute.
    folder: str
    size_bytes: int
    created_at: str
    is_best: bool
    label: str
    expires_at: str


class CheckpointListBody(_Answer):
    """A run's checkpoints, oldest first."""

    checkpoints: tuple[CheckpointBody, ...]


class RunListBody(_Answer):
    """All runs of a user, newest first."""

    runs: tuple[RunBody, ...]


class AdapterDetailsBody(_Answer):
    """Where an adapter is, what it takes on disk, and whence it came."""

    #: In a slot, in host memory, or on disk only; empty before there are weights.
    place: Literal["active", "resident", "stored", ""]
    #: Of all its checkpoints.
    size_bytes: int
    num_checkpoints: int
    #: When the first of them goes that was kept for a time only; empty: none does.
    expires_at: str
    #: The adapter, and its step, that it went on from; empty and 0 for one from nothing.
    parent: str
    parent_step: int
    updated_at: str


class AdapterBody(_Answer):
    """One adapter, as its newest run left it; or one that a Tinker client trains.

    That one has no run: `step` and `folder` are those of its newest weights on disk.
    """

    name: str
    adapter_id: str
    base_model: str
    rank: int
    alpha: float
    run_id: str
    state: RunState | Literal["active", "stored"]
    step: int
    #: Absolute folder of its newest checkpoint; empty before the first.
    folder: str
    #: Who trains it.
    origin: Literal["run", "tinker"] = "run"
    #: None unless it was asked for.
    details: AdapterDetailsBody | None = None


class AdapterListBody(_Answer):
    """All adapters of a user."""

    adapters: tuple[AdapterBody, ...]


class MessageBody(_Request):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class SampleBody(_Request):
    """A question for an adapter's newest weights, or for `base`."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    messages: tuple[MessageBody, ...] = Field(min_length=1, max_length=1000)
    max_tokens: int = Field(default=256, ge=1, le=32768)
    temperature: float = Field(default=0.0, ge=0, le=10)
    top_p: float = Field(default=1.0, gt=0, le=1)
    #: 0 keeps all.
    top_k: int = Field(default=0, ge=0, le=1_000_000)
    min_p: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0, le=10)
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2)
    seed: int = Field(default=0, ge=0, lt=2**63)


class SampleDeltaBody(_Answer):
    """New text of an answer."""

    text: str
    #: Version of the adapter that answers; None for the base model.
    version: int | None


class SampleDoneBody(_Answer):
    """The end of an answer."""

    finish_reason: FinishReason
    num_prompt_tokens: int
    num_tokens: int
    version: int | None
