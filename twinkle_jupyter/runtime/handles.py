"""How compute is reached: the same two protocols in one process and through Ray."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from twinkle_jupyter.engine.arrangement import Place
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.interface import (
    AdapterSnapshot,
    PromptScores,
    SampleDelta,
    SampleRequest,
    SamplingSettings,
    TopTokens,
)
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    CheckpointSaved,
    ForwardBackward,
    ForwardBackwardResult,
    Op,
    OpAnswer,
    OptimStep,
    OptimStepResult,
    Priority,
    Refusal,
    SaveCheckpoint,
    StepEffect,
)

#: What the service, which reaches compute through here only, needs to ask.
__all__ = [
    "AdamWSettings",
    "AdapterPosition",
    "AdapterSpec",
    "CheckpointSaved",
    "Compute",
    "ComputeStatus",
    "ForwardBackward",
    "ForwardBackwardResult",
    "Op",
    "OpAnswer",
    "OptimStep",
    "OptimStepResult",
    "Place",
    "PromptScores",
    "Refusal",
    "SampleDelta",
    "SampleRequest",
    "SamplerHandle",
    "SamplingSettings",
    "SaveCheckpoint",
    "StepEffect",
    "TopTokens",
    "TrainerHandle",
    "UserLoad",
]


@dataclass(frozen=True, slots=True)
class UserLoad:
    """What one user has of a trainer."""

    user: str
    num_adapters: int = 0
    #: Of these, in slots now.
    num_active: int = 0
    #: Ops that wait or are under way, and the tokens of the passes among them.
    queued_ops: int = 0
    queued_tokens: int = 0
    #: Tokens that were trained on in the last minute, and since the trainer's process began.
    tokens_per_minute: int = 0
    tokens_served: int = 0

    def with_tokens(self, per_minute: int, served: int) -> UserLoad:
        """Return a copy with these."""
        return replace(self, tokens_per_minute=per_minute, tokens_served=served)


@dataclass(frozen=True, slots=True)
class ComputeStatus:
    """What a trainer or sampler says of itself."""

    base_model: str
    is_ready: bool
    num_adapters: int
    memory_bytes: int
    #: Of a trainer: its slots, those that are taken, and everybody's part of it.
    num_slots: int = 0
    num_active: int = 0
    users: tuple[UserLoad, ...] = ()
    #: Of a trainer: where each of its adapters is.
    places: Mapping[AdapterId, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdapterPosition:
    """How far the ops of one adapter have come."""

    #: The next op has this sequence id; all before it were answered.
    next_sequence_id: int
    #: Optimizer steps that the weights have seen.
    step: int
    #: Whether a gradient waits for its optimizer step.
    has_gradient: bool


class TrainerHandle(Protocol):
    """One trainer: a frozen base model and adapters in slots.

    Ops of one adapter run strictly in order of their sequence ids, whatever order they arrive in;
    an op with an id that was already answered gets the same answer again. Cancelling the task that
    awaits an op cancels the op, unless it is under way or somebody else awaits it too; its sequence
    id is spent.

    A trainer with a journal survives its process: an op that was taken in is carried out, once, and
    its answer stays what it was, whatever dies in between. Who lost the connection asks for the
    `position` and sends on from there; an op sent again is answered, not repeated.
    """

    async def create_adapter(
        self,
        adapter_id: AdapterId,
        spec: AdapterSpec,
        *,
        user: str = "",
        priority: Priority = "interactive",
    ) -> None:
        """Give the adapter a slot and its first weights. Creating it again changes nothing.

        Its ops count towards the share of `user`, and go before those of lower priority.
        """
        ...

    async def load_adapter(
        self,
        adapter_id: AdapterId,
        folder: str,
        *,
        user: str = "",
        priority: Priority = "interactive",
        fresh_optimizer: bool = False,
    ) -> int:
        """Put a checkpoint with its optimizer into a slot; return its step.

        The adapter's next op has sequence id 1. Replaces what the slot held. The folder may be
        deleted afterwards. With a `fresh_optimizer` it is the weights alone, at step 0.
        """
        ...

    async def position(self, adapter_id: AdapterId) -> AdapterPosition | None:
        """Wait until every op taken in so far is answered; None where there is no such adapter."""
        ...

    async def forward_backward(self, op: ForwardBackward) -> ForwardBackwardResult:
        """Run the op in its turn."""
        ...

    async def optim_step(self, op: OptimStep) -> OptimStepResult:
        """Run the op in its turn."""
        ...

    async def save_checkpoint(self, op: SaveCheckpoint) -> CheckpointSaved:
        """Copy the adapter in the op's turn and write it beside training; answers once it is whole.

        Later ops of the adapter do not wait for the disk.
        """
        ...

    async def run_new(self, op: Op) -> OpAnswer:
        """Run an op in its turn whose sequence id nobody has sent anything under.

        Raises:
            ConflictError: With the code `SENT_BEFORE`: the adapter's next free id is another one.
                Nothing was done.
        """
        ...

    async def accept(self, op: Op) -> None:
        """Take the op in to be carried out, whoever asks for it; return once it cannot be lost.

        Raises what refuses it before its turn; what comes of it is the `outcome`'s to tell.
        """
        ...

    async def outcome(self, adapter_id: AdapterId, sequence_id: int) -> OpAnswer:
        """Wait for what comes of an op that was taken in; many may, and may ask again.

        Raises:
            NotFoundError: No such op was taken in.
            ConflictError: It was answered too long ago, or cancelled.
            TwinkleError: Whatever the op failed with.
        """
        ...

    async def snapshot(self, adapter_id: AdapterId) -> AdapterSnapshot:
        """Copy the weights between two ops; never waits for queued ones."""
        ...

    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Free the slot; unanswered ops fail. Removing what is not there changes nothing."""
        ...

    async def park(self, adapter_id: AdapterId, folder: str, next_id: int) -> bool:
        """Write the adapter as it is to disk, and only then free its slot.

        Where another op than `next_id` is its next one, or that is there, nothing changes: False.

        Raises:
            NotFoundError: There is no such adapter.
            RunFailedError: It could not be written; it is where it was.
        """
        ...

    async def status(self) -> ComputeStatus:
        """Answer when the base model is loaded."""
        ...


class SamplerHandle(Protocol):
    """One sampler: the same base model, and snapshots by (adapter, version)."""

    async def put_snapshot(self, snapshot: AdapterSnapshot) -> None:
        """Hold these weights; the newest version is the adapter's default."""
        ...

    async def hold_newest(self, trainer: TrainerHandle, adapter_id: AdapterId) -> AdapterVersion:
        """Hold the weights that the trainer has now; return their version.

        Raises:
            NotFoundError: The trainer does not have the adapter.
        """
        snapshot = await trainer.snapshot(adapter_id)
        await self.put_snapshot(snapshot)
        return snapshot.version

    def sample(self, request: SampleRequest) -> AsyncGenerator[SampleDelta]:
        """Stream the answer; closing the iterator cancels within one token."""
        ...

    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Forget all versions. Removing what is not there changes nothing."""
        ...

    async def status(self) -> ComputeStatus:
        """Answer when the base model is loaded."""
        ...


@dataclass(frozen=True, slots=True)
class Compute:
    """A base model that is loaded: to train and to sample."""

    trainer: TrainerHandle
    sampler: SamplerHandle
