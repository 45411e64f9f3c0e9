"""Events of a run on the wire, told apart by `kind`; the same fields as `runs/events.py`.

A reader skips kinds that it does not know: `parse_event` answers None for them. Fields with a
default were added later: logs of earlier releases stay readable.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from twinkle_jupyter.wire.native import RunState


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    #: ISO 8601, UTC.
    at: str


class StateEvent(_Event):
    """The run went into another state."""

    kind: Literal["state"]
    state: RunState
    step: int
    reason: str


class ProgressEvent(_Event):
    """Something over a second is under way."""

    kind: Literal["progress"]
    message: str
    #: 0 to 1 where it is known.
    fraction: float | None


class PlannedEvent(_Event):
    """The run knows its length."""

    kind: Literal["planned"]
    total_steps: int
    num_train_rows: int
    num_eval_rows: int
    #: Estimate of what the trainer's machine needs at most; 0 where there is none.
    memory_bytes: int = 0
    #: What that machine has; 0 where there is no estimate.
    machine_bytes: int = 0


class StepEvent(_Event):
    """One optimizer step."""

    kind: Literal["step"]
    step: int
    #: Mean over supervised tokens of the batch.
    loss: float
    learning_rate: float
    grad_norm: float
    num_tokens: int
    num_supervised: int
    #: Wall time since the step before.
    seconds: float
    #: Of these: waiting for a turn, and in each part of the pass that the batch was part of.
    queue_seconds: float = 0.0
    forward_seconds: float = 0.0
    backward_seconds: float = 0.0
    optimizer_seconds: float = 0.0
    #: What the loss says beside itself, as in `accuracy` of dpo.
    metrics: dict[str, float] = {}


class NoticeEvent(_Event):
    """Something that a person should know of, and that the run went on after."""

    kind: Literal["notice"]
    step: int
    message: str


class EvalEvent(_Event):
    """Loss on the rows kept from training."""

    kind: Literal["eval"]
    step: int
    loss: float
    metrics: dict[str, float] = {}


class ProbeEvent(_Event):
    """The answer to one probe from the weights of one step."""

    kind: Literal["probe"]
    #: 0 is the base model, before any step.
    step: int
    index: int
    prompt: str
    answer: str


class ProbePartEvent(_Event):
    """What came new of an answer that is being written; the whole of it comes as `probe`."""

    kind: Literal["probe_part"]
    step: int
    index: int
    prompt: str
    text: str


class CheckpointEvent(_Event):
    """A checkpoint is durable."""

    kind: Literal["checkpoint"]
    step: int
    name: str
    size_bytes: int


class CommandEvent(_Event):
    """A person steered the run; `step` is the first that it affects."""

    kind: Literal["command"]
    command: str
    step: int


class SteeredEvent(_Event):
    """Settings changed while the run was going on."""

    kind: Literal["steered"]
    #: The first step with these settings.
    step: int
    #: Number of the wish, from 1.
    wish: int
    changes: dict[str, int | float | str | tuple[str, ...] | None]
    #: Steps of the whole run from here on.
    total_steps: int = 0
    #: One sentence where the change was refused, and nothing changed; else empty.
    refusal: str = ""


Event: TypeAlias = Annotated[
    StateEvent
    | ProgressEvent
    | PlannedEvent
    | StepEvent
    | NoticeEvent
    | EvalEvent
    | ProbeEvent
    | ProbePartEvent
    | CheckpointEvent
    | CommandEvent
    | SteeredEvent,
    Field(discriminator="kind"),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)

#: Every kind there is.
KINDS = frozenset(
    (
        "state",
        "progress",
        "planned",
        "step",
        "notice",
        "eval",
        "probe",
        "probe_part",
        "checkpoint",
        "command",
        "steered",
    )
)


def parse_event(entry: dict[str, JsonValue]) -> Event | None:
    """Read an entry; None for a kind that this release does not know.

    Raises:
        ValidationError: The fields are not those of its kind.
    """
    return EVENT.validate_python(entry) if entry.get("kind") in KINDS else None
