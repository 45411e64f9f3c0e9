"""Clients and an engine of virtual time around the real scheduler.

Nothing here draws random numbers or looks at a clock: the same trainees give the same history.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.events import (
    AdapterAdded,
    Answer,
    Instruction,
    OpArrived,
    Plan,
    PlanDone,
    RunMicroBatch,
)
from twinkle_jupyter.scheduling.machine import Scheduler
from twinkle_jupyter.scheduling.op_part import PartDone
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    ForwardBackward,
    Op,
    OptimStep,
    OptimStepResult,
)

DONE = OptimStepResult(step=1, grad_norm=0.0, seconds=0.0)
ADAMW = AdamWSettings(learning_rate=1e-3)


@dataclass(frozen=True, slots=True)
class CostModel:
    """Seconds of a plan."""

    step_s: float = 0.17
    token_s: float = 0.003
    optim_s: float = 0.01
    adapter_s: float = 0.002

    @property
    def overhead_tokens(self) -> int:
        return round(self.step_s / self.token_s)

    def slower(self, times: int) -> CostModel:
        parts = (self.step_s, self.token_s, self.optim_s, self.adapter_s)
        return CostModel(*(times * seconds for seconds in parts))

    def seconds(self, plan: Plan) -> float:
        if isinstance(plan, RunMicroBatch):
            return self.step_s + self.token_s * sum(part.num_tokens for part in plan.parts)
        return self.optim_s + self.adapter_s * len(plan.ops)


@dataclass(frozen=True, slots=True)
class Trainee:
    """An adapter of a user: steps of so many tokens, as many as it is let."""

    name: AdapterId
    user: str
    #: Whose share it counts towards.
    share: str
    tokens: int
    #: Steps on their way at once; one means that each waits for the answer to the last.
    ahead: int
    #: From an answer to the arrival of what the client sends then.
    round_trip_s: float
    #: Rows that the tokens are in.
    num_rows: int = 1

    def op(self, sequence_id: int) -> Op:
        """Forward-backward and optimizer steps take turns."""
        if sequence_id % 2 == 0:
            return OptimStep(self.name, sequence_id, ADAMW)
        ids = (1,) * (self.tokens // self.num_rows)
        row = Example(ids, ids, (1.0,) * len(ids))
        return ForwardBackward(self.name, sequence_id, (row,) * self.num_rows)


def plan_done(plan: Plan) -> PlanDone:
    """Return the end of a plan in which nothing fails."""
    if not isinstance(plan, RunMicroBatch):
        return PlanDone((DONE,) * len(plan.ops))
    return PlanDone(tuple(DONE if part.is_last else PartDone(part.stop) for part in plan.parts))


class Simulation:
    """The real scheduler with clients and an engine of virtual time."""

    def __init__(self, trainees: Iterable[Trainee], costs: CostModel, budget: int) -> None:
        self._costs = costs
        self._scheduler = Scheduler(budget, overhead_tokens=costs.overhead_tokens)
        self._trainees = {trainee.name: trainee for trainee in trainees}
        self._agenda: list[tuple[float, int, Callable[[], list[Instruction]]]] = []
        self._ops: dict[int, Op] = {}
        self._now = 0.0
        self._num_entries = 0
        #: By user: moment and tokens of each forward-backward that ended.
        self.served: dict[str, list[tuple[float, int]]] = defaultdict(list)
        #: By user and adapter: moments at which a step ended.
        self.steps: dict[tuple[str, AdapterId], list[float]] = defaultdict(list)

    def run(self, until_s: float) -> Simulation:
        for trainee in self._trainees.values():
            self._scheduler.handle(AdapterAdded(trainee.name, trainee.share))
            for sequence_id in range(1, 2 * trainee.ahead + 1):
                self._send(trainee.op(sequence_id), 0.0)
        while self._now < until_s:
            self._now, _, happen = heapq.heappop(self._agenda)
            for instruction in happen():
                if isinstance(instruction, Answer):
                    for ticket in instruction.tickets:
                        self._hear(self._ops.pop(ticket))
                else:
                    self._start(instruction)
        return self

    def _hear(self, op: Op) -> None:
        trainee = self._trainees[op.adapter_id]
        if isinstance(op, ForwardBackward):
            self.served[trainee.user].append((self._now, trainee.tokens))
            return
        self.steps[trainee.user, trainee.name].append(self._now)
        for sequence_id in (op.sequence_id - 1, op.sequence_id):
            self._send(trainee.op(sequence_id + 2 * trainee.ahead), trainee.round_trip_s)

    def _send(self, op: Op, delay_s: float) -> None:
        ticket = self._num_entries
        self._ops[ticket] = op
        self._at(delay_s, lambda: self._scheduler.handle(OpArrived(ticket, op)))

    def _start(self, plan: Plan) -> None:
        done = plan_done(plan)
        self._at(self._costs.seconds(plan), lambda: self._scheduler.handle(done))

    def _at(self, delay_s: float, happen: Callable[[], list[Instruction]]) -> None:
        heapq.heappush(self._agenda, (self._now + delay_s, self._num_entries, happen))
        self._num_entries += 1
