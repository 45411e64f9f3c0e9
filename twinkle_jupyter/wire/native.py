"""Bodies of the native protocol, as `docs/reference/native-api.md` has them.

Requests refuse unknown fields; answers ignore them, so that an older client reads a newer service.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

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
    num_active_runs: int


class StartRunBody(_Request):
    """A new run. Both parts are checked by the domain, which names every mistake."""

    config: dict[str, JsonValue]
    records: list[dict[str, JsonValue]]
    #: An adapter whose newest weights the run begins with; None begins anew.
    from_adapter: str | None = Field(default=None, min_length=1, max_length=64)


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


class RunListBody(_Answer):
    """All runs of a user, newest first."""

    runs: tuple[RunBody, ...]


class AdapterBody(_Answer):
    """One adapter, as its newest run left it."""

    name: str
    adapter_id: str
    base_model: str
    rank: int
    alpha: float
    run_id: str
    state: RunState
    step: int
    #: Absolute folder of its newest checkpoint; empty before the first.
    folder: str


class AdapterListBody(_Answer):
    """All adapters of a user, by name."""

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
