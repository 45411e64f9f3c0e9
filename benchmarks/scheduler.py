"""What planning costs, and what a greedy user costs the others.

No engine runs. Planning is timed for real; fairness is played through the real `Scheduler` in
virtual time, where a micro-batch takes 0.17 s and 0.003 s for each token, and optimizer steps take
0.01 s a plan and 0.002 s for each adapter: about SmolLM2-135M on two cores.

The scene: nine polite users with one adapter each and 256 tokens a step, and a greedy one with 100
adapters, each of whose ops is one long row. "Its share alone" is the same polite user with nobody
else on a machine that takes U = 10 times as long for everything. The peer of a fairness row is the
same scene with everybody in one share, so that adapters take turns whosever they are.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from benchmarks.report import Bar, Row, build_parser, finish
from benchmarks.virtual_trainer import CostModel, Simulation, Trainee, plan_done
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.events import (
    AdapterAdded,
    Answer,
    Event,
    Instruction,
    OpArrived,
    Plan,
)
from twinkle_jupyter.scheduling.machine import Scheduler

PLANNING = Bar(1.0, "at most")
FAIRNESS = Bar(0.95, "at least", on="value")
STEP_TIME = Bar(1.3, "at most")


@dataclass(frozen=True, slots=True)
class Scene:
    """Nine polite users and a greedy one."""

    costs: CostModel
    #: Virtual ones; the first tenth is left out.
    hours: float
    greedy_tokens: int = 512
    greedy_rows: int = 1
    ahead: int = 2
    round_trip_s: float = 0.0
    num_polite: int = 9
    budget: int = 8192

    @property
    def num_users(self) -> int:
        return self.num_polite + 1

    def play(self) -> Simulation:
        return self._run([*self._polite(), *self._greedy()], self.costs)

    def play_in_one_share(self) -> Simulation:
        everybody = [*self._polite(), *self._greedy()]
        return self._run([replace(one, share="everybody") for one in everybody], self.costs)

    def play_alone(self) -> Simulation:
        return self._run(self._polite()[:1], self.costs.slower(self.num_users))

    def _run(self, trainees: Sequence[Trainee], costs: CostModel) -> Simulation:
        return Simulation(trainees, costs, self.budget).run(3600 * self.hours)

    def _polite(self) -> list[Trainee]:
        names = [f"polite-{number}" for number in range(self.num_polite)]
        return [
            Trainee(AdapterId(name), name, name, 256, self.ahead, self.round_trip_s)
            for name in names
        ]

    def _greedy(self) -> list[Trainee]:
        names = [AdapterId(f"greedy-{number}") for number in range(100)]
        size = (self.greedy_tokens, 4, 0.0, self.greedy_rows)
        return [Trainee(name, "greedy", "greedy", *size) for name in names]


def measure_fairness(label: str, scene: Scene, *, has_bars: bool) -> list[Row]:
    shared, unshared, alone = scene.play(), scene.play_in_one_share(), scene.play_alone()
    [alone_p95] = _step_p95s(alone, scene)
    ours = [p95 / alone_p95 for p95 in _step_p95s(shared, scene)]
    theirs = [p95 / alone_p95 for p95 in _step_p95s(unshared, scene)]
    mine, fifo = _jain(shared, scene), _jain(unshared, scene)
    slowest, peer = max(ours), max(theirs)
    return [
        Row(
            f"fairness index of tokens, {label}",
            mine,
            "",
            peer=fifo,
            bar=FAIRNESS if has_bars else None,
        ),
        Row(
            f"slowest polite user's p95 step / its share alone, {label}",
            slowest,
            "x",
            (min(ours), max(ours)),
            peer=peer,
            ratio=peer / slowest,
            bar=STEP_TIME if has_bars else None,
        ),
    ]


def _jain(simulation: Simulation, scene: Scene) -> float:
    """(sum x)^2 / (n sum x^2) over users' served tokens; Jain, Chiu & Hawe 1984."""
    start = _warm_up_s(scene)
    served = [
        sum(tokens for moment, tokens in ops if moment > start)
        for ops in simulation.served.values()
    ]
    return sum(served) ** 2 / (scene.num_users * sum(tokens**2 for tokens in served))


def _step_p95s(simulation: Simulation, scene: Scene) -> list[float]:
    """One p95 for each polite user, over seconds from one step's end to the next one's."""
    start = _warm_up_s(scene)
    p95s = []
    for (user, _), moments in simulation.steps.items():
        if user != "greedy":
            late = [moment for moment in moments if moment > start]
            seconds = [after - before for before, after in itertools.pairwise(late)]
            p95s.append(statistics.quantiles(seconds, n=20)[-1])
    return p95s


def _warm_up_s(scene: Scene) -> float:
    return 360 * scene.hours


def measure_planning(num_users: int, num_plans: int, bar: Bar | None = None) -> list[Row]:
    """Time each event with 1,000 adapters and ten ops queued for each, all along."""
    names = [AdapterId(f"adapter-{number}") for number in range(1000)]
    trainees = {
        name: Trainee(name, "", f"user-{number % num_users}", 64 + number % 7 * 32, 5, 0.0)
        for number, name in enumerate(names)
    }
    scheduler = Scheduler()
    tickets = itertools.count()
    plans: list[Plan] = []
    for trainee in trainees.values():
        scheduler.handle(AdapterAdded(trainee.name, trainee.share))
        for sequence_id in range(1, 11):
            arrived = OpArrived(next(tickets), trainee.op(sequence_id))
            plans += _plans(scheduler.handle(arrived))
    [plan] = plans
    planning_ms, arriving_ms = [], []
    for _ in range(num_plans):
        for op in plan.ops:
            arrived = OpArrived(next(tickets), trainees[op.adapter_id].op(op.sequence_id + 10))
            arriving_ms.append(_time_ms(scheduler, arrived)[0])
        passed_ms, instructions = _time_ms(scheduler, plan_done(plan))
        planning_ms.append(passed_ms)
        [plan] = _plans(instructions)
    label = f"1,000 adapters of {num_users:,} user{'s' if num_users > 1 else ''}"
    return [
        Row.of_samples(f"a plan, {label}", planning_ms, "ms", bar),
        Row(f"a plan, {label}, p95", statistics.quantiles(planning_ms, n=20)[-1], "ms"),
        Row(f"an arrival, {label}", statistics.median(arriving_ms), "ms"),
    ]


def _time_ms(scheduler: Scheduler, event: Event) -> tuple[float, list[Instruction]]:
    started = time.perf_counter()
    instructions = scheduler.handle(event)
    return 1e3 * (time.perf_counter() - started), instructions


def _plans(instructions: Iterable[Instruction]) -> list[Plan]:
    return [one for one in instructions if not isinstance(one, Answer)]


def main() -> int:
    parser = build_parser(__doc__)
    parser.add_argument("--step-s", type=float, default=0.17, help="of a micro-batch's fixed part")
    parser.add_argument("--token-s", type=float, default=0.003, help="of each of its tokens")
    options = parser.parse_args()
    costs = CostModel(options.step_s, options.token_s)
    num_plans, hours = (300, 1.0) if options.quick else (3000, 12.0)
    rows = measure_planning(50, num_plans, PLANNING)
    rows += measure_planning(1, num_plans)
    rows += measure_planning(1000, num_plans)
    scene = Scene(costs, hours)
    rows += measure_fairness("all have work", scene, has_bars=True)
    others = {
        "clients answer in 20 ms": replace(scene, ahead=1, round_trip_s=0.02),
        "clients answer in 4 s": replace(scene, ahead=1, round_trip_s=4.0),
        "greedy ops of 128 tokens": replace(scene, greedy_tokens=128),
        "greedy ops of one row of 2,048 tokens": replace(scene, greedy_tokens=2048),
        "greedy ops of 32 rows, 2,048 tokens": replace(scene, greedy_tokens=2048, greedy_rows=32),
        "one polite user": replace(scene, num_polite=1),
    }
    for label, other in others.items():
        rows += measure_fairness(label, other, has_bars=False)
    return finish(rows, options)


if __name__ == "__main__":
    sys.exit(main())
