"""The ops whose turn it is, by kind, and the next plan out of them.

Nothing here looks at adapters that have nothing ready, so a plan costs what is in it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Literal

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.events import (
    Plan,
    RunMicroBatch,
    RunOptimSteps,
    RunRefusals,
    RunSaves,
)
from twinkle_jupyter.scheduling.fair_share import FairShare
from twinkle_jupyter.scheduling.op_part import OpPart, part_after, rows_per_unit, unit_tokens
from twinkle_jupyter.scheduling.request import (
    ForwardBackward,
    Op,
    OptimStep,
    Priority,
    Refusal,
    SaveCheckpoint,
)

#: Of one user in one plan: a checkpoint is megabytes on a disk, and everybody waits for it.
MAX_SAVES_A_USER = 4

_Kind = Literal["refusals", "optim_steps", "saves", "micro_batch"]


class ReadyOps:
    """At most one op an adapter.

    The next plan is of the kind that was planned longest ago among those that have ready ops, so
    each kind is planned at least every fourth time. A tie, at the beginning, goes to the others
    before micro-batches: they free their adapter for the next one.

    Args:
        token_budget: Tokens of one micro-batch at most; one larger op is planned alone.
        overhead_tokens: Tokens that take as long to compute as a micro-batch's fixed part.
    """

    def __init__(self, token_budget: int, overhead_tokens: int) -> None:
        self._token_budget = token_budget
        self._shares = FairShare(token_budget, overhead_tokens)
        #: With the row that the next part begins with.
        self._micro_batch: dict[AdapterId, tuple[ForwardBackward, int]] = {}
        self._refusals: dict[AdapterId, Refusal] = {}
        self._optim_steps: dict[AdapterId, OptimStep] = {}
        self._saves: OrderedDict[AdapterId, tuple[str, SaveCheckpoint]] = OrderedDict()
        #: Longest ago first.
        self._kinds: list[_Kind] = ["refusals", "optim_steps", "saves", "micro_batch"]

    def add(self, op: Op, user: str, priority: Priority, num_rows_done: int = 0) -> None:
        """Take in an op whose turn it is; what is partly done goes before its user's others."""
        match op:
            case ForwardBackward():
                self._micro_batch[op.adapter_id] = (op, num_rows_done)
                num_done = num_rows_done // rows_per_unit(op)
                self._shares.add(user, op.adapter_id, unit_tokens(op), priority, num_done)
            case OptimStep():
                self._optim_steps[op.adapter_id] = op
            case SaveCheckpoint():
                self._saves[op.adapter_id] = (user, op)
            case Refusal():
                self._refusals[op.adapter_id] = op

    def discard(self, adapter_id: AdapterId) -> None:
        """Forget the adapter's op if it has one."""
        if self._micro_batch.pop(adapter_id, None) is not None:
            self._shares.discard(adapter_id)
        self._refusals.pop(adapter_id, None)
        self._optim_steps.pop(adapter_id, None)
        self._saves.pop(adapter_id, None)

    @property
    def has_begun_ops(self) -> bool:
        """Whether one of them is partly done."""
        return self._shares.has_begun_ops

    @property
    def has_room_for_company(self) -> bool:
        """Whether the next plan is a micro-batch that is not full."""
        ready = {
            "refusals": bool(self._refusals),
            "optim_steps": bool(self._optim_steps),
            "saves": bool(self._saves),
            "micro_batch": bool(self._micro_batch),
        }
        if next((kind for kind in self._kinds if ready[kind]), None) != "micro_batch":
            return False
        left = [OpPart(op, row, len(op.examples)) for op, row in self._micro_batch.values()]
        return sum(part.num_tokens for part in left) < self._token_budget

    def take_plan(self) -> Plan | None:
        """Take the next plan's ops out; None when nothing is ready."""
        for kind in self._kinds:
            plan = self._take(kind)
            if plan is not None:
                self._kinds.remove(kind)
                self._kinds.append(kind)
                return plan
        return None

    def _take(self, kind: _Kind) -> Plan | None:
        match kind:
            case "micro_batch":
                taken = self._shares.take()
                parts = tuple(
                    part_after(*self._micro_batch.pop(adapter_id), num_units)
                    for adapter_id, num_units in taken
                )
                return RunMicroBatch(parts) if parts else None
            case "refusals":
                refusals = tuple(self._refusals.values())
                self._refusals.clear()
                return RunRefusals(refusals) if refusals else None
            case "optim_steps":
                steps = tuple(self._optim_steps.values())
                self._optim_steps.clear()
                return RunOptimSteps(steps) if steps else None
            case "saves":
                saves = self._take_saves()
                return RunSaves(saves) if saves else None

    def _take_saves(self) -> tuple[SaveCheckpoint, ...]:
        num_saves: Counter[str] = Counter()
        taken: list[SaveCheckpoint] = []
        for user, op in self._saves.values():
            num_saves[user] += 1
            if num_saves[user] <= MAX_SAVES_A_USER:
                taken.append(op)
        for op in taken:
            del self._saves[op.adapter_id]
        return tuple(taken)


def count_tokens(op: ForwardBackward) -> int:
    """Count the positions that the op sends through the base model; rows are packed, not padded."""
    return sum(example.num_tokens for example in op.examples)
