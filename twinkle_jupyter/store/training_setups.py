"""What clients that set up a training piece by piece have set, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, cast

from twinkle_jupyter.store.client_rows import ClientRow
from twinkle_jupyter.store.interface import JSON, Row
from twinkle_jupyter.store.records import now

#: What a checkpoint of the optimizer brings back: itself, and the schedule where it was.
OPTIMIZER_FIELDS = (
    *("optimizer", "learning_rate", "beta1", "beta2", "eps", "weight_decay"),
    *("schedule", "schedule_settings", "schedule_step"),
)


@dataclass(frozen=True, slots=True)
class TrainingSetupRow(ClientRow):
    """Of one adapter: how it is trained, and what has been summed up since the last step."""

    adapter_id: str
    #: As its client calls it.
    adapter_name: str
    optimizer: str = "AdamW"
    learning_rate: float = 1e-5
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.01
    #: Empty for a constant rate.
    schedule: str = ""
    schedule_settings: Mapping[str, JSON] = field(default_factory=dict)
    schedule_step: int = 0
    loss: str = "CrossEntropyLoss"
    loss_settings: Mapping[str, JSON] = field(default_factory=dict)
    template: str = "Template"
    template_settings: Mapping[str, JSON] = field(default_factory=dict)
    train_metrics: Sequence[str] = ("LossMetric", "TrainMetric")
    eval_metrics: Sequence[str] = ("LossMetric",)
    gradient_accumulation_steps: int = 1
    #: Backward passes so far.
    cur_step: int = 0
    consumed_train_samples: int = 0
    #: Backward passes whose gradient waits for a step, and what each counts.
    num_passes: int = 0
    #: Sum over them of what a gradient that is a mean is to be divided by.
    denominator: float = 0.0
    #: Sum over them of the means' own denominators, where the trainer's sums have none.
    num_units: float = 0.0
    #: Set by `clip_grad_norm` until the step: largest norm, and what the gradient is scaled with.
    clip: Mapping[str, float] = field(default_factory=dict)
    grad_norm: float = 0.0
    #: Sums since the metrics were asked for.
    train_sums: Mapping[str, JSON] = field(default_factory=dict)
    eval_sums: Mapping[str, JSON] = field(default_factory=dict)
    measured_at: str = field(default_factory=now)
    measured_step: int = 0
    created_at: str = field(default_factory=now)

    @staticmethod
    def key(owner: str, adapter_id: str) -> str:
        """Where the row is kept."""
        return ClientRow.row_key("training-setup", owner, adapter_id)

    @property
    def optimizer_state(self) -> Row:
        """What a checkpoint keeps of it."""
        row = self.to_row()
        return {name: row[name] for name in OPTIMIZER_FIELDS}

    @property
    def has_gradient(self) -> bool:
        """Whether a step would have something to do."""
        return self.num_passes > 0 or bool(self.clip)

    @property
    def unit_scale(self) -> float:
        """What makes the trainer's sum the sum of the passes' means."""
        return self.num_passes / self.num_units if self.num_units else 1.0

    def without_gradient(self) -> TrainingSetupRow:
        """Return it as it is after a step."""
        return self.changed(num_passes=0, denominator=0.0, num_units=0.0, clip={})


@dataclass(frozen=True, slots=True)
class LastPassRow(ClientRow):
    """The forward pass whose loss and gradient may be asked for next."""

    adapter_id: str
    inputs: JSON
    is_training: bool
    #: Arguments of `calculate_loss`, once it was called.
    loss_arguments: Mapping[str, JSON] = field(default_factory=dict)
    has_loss: bool = False

    @staticmethod
    def key(owner: str, adapter_id: str) -> str:
        """Where the row is kept."""
        return ClientRow.row_key("last-pass", owner, adapter_id)


@dataclass(frozen=True, slots=True)
class SamplerTemplateRow(ClientRow):
    """How one session wants a sampler to encode conversations."""

    session_id: str
    base_model: str
    settings: Mapping[str, JSON]

    @staticmethod
    def key(owner: str, session_id: str, base_model: str) -> str:
        """Where the row is kept."""
        return ClientRow.row_key("sampler-template", owner, f"{session_id}/{base_model}")


@dataclass(frozen=True, slots=True)
class ProcessorRow(ClientRow):
    """A data set, a loader or the like that a client builds here: how it was made, in order."""

    processor_id: str
    kind: str
    class_name: str
    #: Of a data set they are in a row of their own, which may be large.
    settings: Mapping[str, JSON] = field(default_factory=dict)
    #: Calls that changed a data set since.
    num_calls: int = 0
    #: Rows of the pass over them that were handed out; -1 before the first pass.
    position: int = -1
    #: Passes begun; each has its own order where rows are shuffled.
    epoch: int = 0
    #: Rows that the next pass leaves out, and all that were handed out.
    num_skipped: int = 0
    num_consumed: int = 0
    used_at: str = field(default_factory=now)

    @staticmethod
    def key(owner: str, processor_id: str) -> str:
        """Where the row is kept; all of an owner's are under `key(owner, "")`."""
        return ClientRow.row_key("processor", owner, processor_id)

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON, also from before data sets had a row of their own."""
        known = {name: value for name, value in row.items() if name != "calls"}
        return cls(**cast("dict[str, str]", known))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class DatasetSourceRow(ClientRow):
    """What a data set is made of. Read when it is built, and not at every call."""

    processor_id: str
    settings: Mapping[str, JSON] = field(default_factory=dict)
    #: Calls that changed it, oldest first: `{function, arguments}`.
    calls: Sequence[Row] = ()

    @staticmethod
    def key(owner: str, processor_id: str) -> str:
        """Where the row is kept; all of an owner's are under `key(owner, "")`."""
        return ClientRow.row_key("dataset-source", owner, processor_id)

    def with_call(self, number: int, function: str, arguments: Mapping[str, JSON]) -> Self:
        """Return it with this call as its `number`-th, from 0 on, and none behind it."""
        call = cast("JSON", {"function": function, "arguments": dict(arguments)})
        return self.changed(calls=[*self.calls[:number], call])
