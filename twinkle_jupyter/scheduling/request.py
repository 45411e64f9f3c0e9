"""Ops that a trainer takes, and what each answers. Plain data: it crosses process borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId

#: What somebody waits for goes before what runs by itself, within what is the user's share.
Priority: TypeAlias = Literal["interactive", "background"]
#: `measure` tells the gradient's norm and `discard` throws it away; neither touches the weights.
StepEffect: TypeAlias = Literal["step", "measure", "discard"]


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """Shape of an adapter and the seed of its first weights."""

    rank: int
    alpha: float
    seed: int = 0
    #: Last part of the names of the linear layers that it is on, as in `q_proj`; empty means all.
    targets: tuple[str, ...] = ()
    #: Decoder layers before this one are left as they are.
    first_layer: int = 0

    @property
    def scale(self) -> float:
        """What the adapter's output is multiplied by."""
        return self.alpha / self.rank


@dataclass(frozen=True, slots=True)
class AdamWSettings:
    """One optimizer step's settings (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    #: Largest norm of the summed gradient; 0 does not clip.
    grad_clip_norm: float = 0.0
    #: What the summed gradient is multiplied by, before its norm is taken.
    gradient_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class ForwardBackward:
    """Add the gradient of these examples' summed loss to the adapter's."""

    adapter_id: AdapterId
    #: 1, 2, 3, … per adapter over all its ops; ops run strictly in this order.
    sequence_id: int
    examples: tuple[Example, ...]
    loss: str = "cross_entropy"
    #: What the loss can be told, by name; what is left out has the loss's own default.
    loss_settings: Mapping[str, float] = field(default_factory=dict)
    #: Loss and log-probabilities only; no gradient.
    forward_only: bool = False
    #: Log-probabilities of all targets, also of those with weight 0.
    scores_all: bool = False


@dataclass(frozen=True, slots=True)
class OptimStep:
    """One optimizer step with the accumulated gradient, which is zero afterwards."""

    adapter_id: AdapterId
    sequence_id: int
    settings: AdamWSettings
    #: Refuse the step where no gradient waits for it; otherwise the gradient is zero then.
    needs_gradient: bool = True
    effect: StepEffect = "step"


@dataclass(frozen=True, slots=True)
class SaveCheckpoint:
    """Write weights, optimizer and position into a folder that does not exist yet."""

    adapter_id: AdapterId
    sequence_id: int
    #: Absolute folder on the trainer's machine.
    folder: str
    #: Leave the optimizer out: it is to be sampled from, and not to be trained on.
    weights_only: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Spends the sequence id of an op that was refused on its way here, and answers why."""

    adapter_id: AdapterId
    sequence_id: int
    message: str
    hint: str = ""


Op: TypeAlias = ForwardBackward | OptimStep | SaveCheckpoint | Refusal


@dataclass(frozen=True, slots=True)
class ForwardBackwardResult:
    """What a `ForwardBackward` answers: sums, never averages."""

    #: Sum over examples and positions of weight x negative log-probability.
    loss_sum: float
    #: One tuple an example, (T,): log-probability of each target, natural log, fp32;
    #: 0.0 where the weight is 0, unless the op scores all.
    logprobs: tuple[tuple[float, ...], ...]
    num_tokens: int
    num_supervised: int
    #: Seconds of compute of the micro-batches that the op's rows were in.
    seconds: float
    #: Of these, in the forward and in the backward pass.
    forward_seconds: float = 0.0
    backward_seconds: float = 0.0
    #: From the op's arrival to the end of its last plan, without the seconds of compute.
    queue_seconds: float = 0.0
    #: What the loss says beside its sum, by name, as in `clip_fraction`.
    metrics: Mapping[str, float] = field(default_factory=dict)
    #: Passes that the rows were computed in after they did not fit into memory; 0 where they did.
    split_into: int = 0


@dataclass(frozen=True, slots=True)
class OptimStepResult:
    """What an `OptimStep` answers."""

    #: Optimizer steps the adapter has taken, this one included.
    step: int
    #: Norm of the summed gradient, as scaled and before clipping.
    grad_norm: float
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckpointCopied:
    """What a `SaveCheckpoint` comes to in its turn: a copy of the adapter, on its way to disk."""

    step: int
    folder: str


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """What a `SaveCheckpoint` answers once the folder is whole."""

    step: int
    size_bytes: int


OpResult: TypeAlias = ForwardBackwardResult | OptimStepResult | CheckpointCopied
#: What whoever asks for an op's outcome gets.
OpAnswer: TypeAlias = ForwardBackwardResult | OptimStepResult | CheckpointSaved
