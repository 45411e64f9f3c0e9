"""What a sweep needs of its members' logs: read once, then only what is new, bounded in size."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import cast

from twinkle_jupyter.runs.events import EvalDone, Planned, Steered, StepDone
from twinkle_jupyter.runs.sweep_ranking import Standing
from twinkle_jupyter.runs.sweep_row import SweepRow, read_member_runs
from twinkle_jupyter.runs.thinned_curve import Point, ThinnedCurve
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import RunRow

#: Points of a curve in an answer at most.
MAX_POINTS = 200
#: The training loss that stands in for an eval loss is the mean of so many steps.
RECENT_STEPS = 10
#: The pace is the median of so many steps, of which a pause is one.
_PACE_STEPS = 15
#: Runs whose progress is remembered.
_MAX_RUNS = 256
_PAGE = 2000


@dataclass(slots=True)
class MemberProgress:
    """One member's log, folded."""

    position: int = 0
    step: int = 0
    total_steps: int = 0
    evals: dict[int, float] = field(default_factory=dict)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_STEPS))
    #: Wall time of the newest steps.
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_PACE_STEPS))
    curve: ThinnedCurve = field(default_factory=lambda: ThinnedCurve(MAX_POINTS))

    async def read_on(self, store: StateStore, run_id: str) -> None:
        """Take what the log has beyond what was read."""
        while page := await store.read(RunRow.log(run_id), self.position, _PAGE):
            for one in page:
                self._take(one.entry)
            self.position = page[-1].position

    def points(self) -> list[Point]:
        """Return the training curve, thinned, with its newest point."""
        return self.curve.points()

    def eval_points(self) -> list[Point]:
        """Return the eval losses, thinned, the newest among them."""
        points = [point for point in self.evals.items() if math.isfinite(point[1])]
        stride = -(-len(points) // MAX_POINTS) or 1
        return points[::-1][::stride][::-1]

    def seconds_per_step(self) -> float | None:
        """Return the present pace; None before the first step."""
        return median(self.seconds) if self.seconds else None

    def standing(self, run: RunRow, wave: int) -> Standing:
        """Return how far the member is."""
        return Standing(
            run_id=run.run_id,
            state=run.state,
            step=self.step,
            total_steps=self.total_steps,
            evals=self.evals,
            recent_loss=fmean(self.recent) if self.recent else None,
            wave=wave,
            kept_loss=run.best_loss if run.keep == "best" else None,
        )

    def _take(self, entry: Row) -> None:
        match entry["kind"]:
            case StepDone.kind:
                self._take_step(_whole(entry["step"]), cast("float", entry["loss"]))
                self.seconds.append(cast("float", entry["seconds"]))
            case EvalDone.kind:
                self.evals[_whole(entry["step"])] = cast("float", entry["loss"])
            case Planned.kind:
                self.total_steps = _whole(entry["total_steps"])
            case Steered.kind:
                self.total_steps = _whole(entry.get("total_steps", 0)) or self.total_steps

    def _take_step(self, step: int, loss: float) -> None:
        self.step = step
        self.recent.append(loss)
        self.curve.add(step, loss)


class SweepProgress:
    """The progress of many runs, of which those that were not asked for longest are forgotten."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._progress: OrderedDict[str, MemberProgress] = OrderedDict()

    async def read(self, sweep: SweepRow) -> tuple[dict[str, RunRow], dict[str, MemberProgress]]:
        """Return rows and progress of a sweep's members as they are now, by run id."""
        runs = await read_member_runs(self._store, sweep)
        return runs, {run_id: await self._read(run_id) for run_id in runs}

    async def _read(self, run_id: str) -> MemberProgress:
        # Out of the table meanwhile: a second reader at the same time folds for itself.
        progress = self._progress.pop(run_id, None) or MemberProgress()
        try:
            await progress.read_on(self._store, run_id)
        finally:
            self._progress[run_id] = progress
        while len(self._progress) > _MAX_RUNS:
            self._progress.popitem(last=False)
        return progress


def _whole(value: object) -> int:
    return int(cast("int", value))
