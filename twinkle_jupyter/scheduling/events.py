"""What the scheduler is told and what it tells: plain data, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.op_part import OpPart, PartDone, whole
from twinkle_jupyter.scheduling.request import (
    ForwardBackward,
    Op,
    OpResult,
    OptimStep,
    Priority,
    Refusal,
    SaveCheckpoint,
)

#: Result of an op, or why there is none.
Outcome: TypeAlias = OpResult | TwinkleError
#: What comes of an op in one plan.
PlanOutcome: TypeAlias = Outcome | PartDone


@dataclass(frozen=True, slots=True)
class AdapterAdded:
    """The adapter is in a slot. Known already: nothing changes."""

    adapter_id: AdapterId
    #: Who shares with whom: the adapters of one user have one share among them.
    user: str = ""
    priority: Priority = "interactive"
    #: Of its first op here; above 1 for one that comes back.
    next_id: int = 1
    #: Outcomes of earlier ops, by sequence id, for who asks again.
    answers: Mapping[int, Outcome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdapterRemoved:
    """The adapter is gone, or about to be; its unanswered ops fail."""

    adapter_id: AdapterId
    reason: TwinkleError


@dataclass(frozen=True, slots=True)
class OpArrived:
    """Somebody waits for this op's outcome under a ticket of their own."""

    ticket: int
    op: Op


@dataclass(frozen=True, slots=True)
class OutcomeWanted:
    """Somebody waits for the outcome of an op that was taken in before."""

    ticket: int
    adapter_id: AdapterId
    sequence_id: int


@dataclass(frozen=True, slots=True)
class OpCancelled:
    """Whoever waited under this ticket has gone; nothing changes if it was answered already."""

    ticket: int


@dataclass(frozen=True, slots=True)
class PlanDone:
    """The plan under way ended: one outcome for each of its ops, in their order."""

    outcomes: tuple[PlanOutcome, ...]


Event: TypeAlias = (
    AdapterAdded | AdapterRemoved | OpArrived | OutcomeWanted | OpCancelled | PlanDone
)


@dataclass(frozen=True, slots=True)
class RunMicroBatch:
    """Forward and backward of all of these together, each of another adapter."""

    parts: tuple[OpPart, ...]

    @property
    def ops(self) -> tuple[ForwardBackward, ...]:
        """The ops that the parts are of."""
        return tuple(part.op for part in self.parts)

    @property
    def rows(self) -> dict[int, tuple[int, int]]:
        """Where a part begins and stops, by its index, where it is not the whole op."""
        return {
            index: (part.start, part.stop)
            for index, part in enumerate(self.parts)
            if not part.is_whole
        }


@dataclass(frozen=True, slots=True)
class RunOptimSteps:
    """One optimizer step each, each of another adapter."""

    ops: tuple[OptimStep, ...]


@dataclass(frozen=True, slots=True)
class RunSaves:
    """Write these checkpoints, each of another adapter."""

    ops: tuple[SaveCheckpoint, ...]


@dataclass(frozen=True, slots=True)
class RunRefusals:
    """Answer each of these with what it says."""

    ops: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome for everybody who waits under one of these tickets."""

    tickets: tuple[int, ...]
    outcome: Outcome


Plan: TypeAlias = RunMicroBatch | RunOptimSteps | RunSaves | RunRefusals


def plan_of(ops: Sequence[Op]) -> Plan:
    """Return the plan of these ops, which are of one kind."""
    match ops[0]:
        case ForwardBackward():
            return RunMicroBatch(tuple(whole(op) for op in ops if isinstance(op, ForwardBackward)))
        case OptimStep():
            return RunOptimSteps(tuple(op for op in ops if isinstance(op, OptimStep)))
        case SaveCheckpoint():
            return RunSaves(tuple(op for op in ops if isinstance(op, SaveCheckpoint)))
        case Refusal():
            return RunRefusals(tuple(op for op in ops if isinstance(op, Refusal)))


Instruction: TypeAlias = Plan | Answer
