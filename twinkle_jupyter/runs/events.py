"""What happens in a run, as entries of its log. Everything a panel shows is one of these.

Each class's `kind` is the discriminator on the wire; `wire/events.py` has the same fields for the
outside, and a contract test keeps the two together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import ClassVar, TypeAlias, cast

from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import RunState, now

#: What a setting of a run can be, in JSON.
SettingValue: TypeAlias = int | float | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """An entry of a run's log."""

    kind: ClassVar[str]

    #: ISO 8601, UTC.
    at: str = field(default_factory=now)

    def to_entry(self) -> Row:
        """Return the entry as JSON, `kind` included."""
        return cast("Row", {"kind": self.kind, **asdict(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged(RunEvent):
    """The run went into another state."""

    kind: ClassVar[str] = "state"
    state: RunState
    step: int
    #: Filled for `failed` and `interrupted`: one sentence.
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(RunEvent):
    """Something over a second is under way before or between steps."""

    kind: ClassVar[str] = "progress"
    #: One sentence without a full stop: "Loading weights".
    message: str
    #: 0 to 1 where it is known.
    fraction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(RunEvent):
    """Rows were read and counted; the run knows its length."""

    kind: ClassVar[str] = "planned"
    total_steps: int
    num_train_rows: int
    num_eval_rows: int
    #: What the trainer's machine is going to need at most, an estimate; 0 where there is none.
    memory_bytes: int = 0
    #: What that machine has; 0 where there is no estimate.
    machine_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone(RunEvent):
    """One optimizer step."""

    kind: ClassVar[str] = "step"
    #: 1 … total_steps, each exactly once in a log.
    step: int
    #: Mean over supervised tokens of the batch.
    loss: float
    learning_rate: float
    grad_norm: float
    #: All tokens of the batch, and those that carry loss.
    num_tokens: int
    num_supervised: int
    #: Wall time since the step before.
    seconds: float
    #: Of these: waiting for a turn, and in each part of the pass that the batch was part of.
    queue_seconds: float = 0.0
    forward_seconds: float = 0.0
    backward_seconds: float = 0.0
    optimizer_seconds: float = 0.0
    #: What the loss says beside itself, as in `accuracy`; means over the batch.
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed(RunEvent):
    """Something that a person should know of, and that the run went on after."""

    kind: ClassVar[str] = "notice"
    step: int
    #: One sentence.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalDone(RunEvent):
    """Loss on the rows kept from training."""

    kind: ClassVar[str] = "eval"
    step: int
    loss: float
    #: As of a step, over all of these rows.
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswered(RunEvent):
    """The answer to one probe from the weights of one step."""

    kind: ClassVar[str] = "probe"
    #: 0 is the base model, before any step.
    step: int
    #: Which of the run's probes.
    index: int
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePart(RunEvent):
    """What came new of an answer that is being written; the whole of it comes as `ProbeAnswered`.

    An answer that is written quickly has none. A round that is broken off leaves its parts behind.
    """

    kind: ClassVar[str] = "probe_part"
    step: int
    index: int
    prompt: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSavedEvent(RunEvent):
    """A checkpoint is durable."""

    kind: ClassVar[str] = "checkpoint"
    step: int
    #: Folder name under the run's artifacts.
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTaken(RunEvent):
    """A person steered the run; `step` is the first that it affects."""

    kind: ClassVar[str] = "command"
    command: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered(RunEvent):
    """Settings changed while the run was going on; in the log before the first step they affect."""

    kind: ClassVar[str] = "steered"
    #: The first step with these settings.
    step: int
    #: Which of `RunRow.wishes` this is, from 1; each is taken once.
    wish: int
    #: New values of settings in `config.steering.STEERABLE`.
    changes: dict[str, SettingValue]
    #: Steps of the whole run from here on.
    total_steps: int = 0
    #: One sentence where the change was refused, and nothing changed; else empty.
    refusal: str = ""
