"""The curves of runs as a sidebar draws them: each log read once, then only what is new."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from statistics import median
from typing import cast

from twinkle_jupyter.runs.events import StepDone
from twinkle_jupyter.runs.thinned_curve import Point, ThinnedCurve
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import RunRow

#: Points of a sparkline, beside the newest.
MAX_POINTS = 48
#: Entries of a log that are read when it is first asked for; of a longer one, the newest.
MAX_ENTRIES = 20_000
#: Steps whose median says how long the next ones take.
_RECENT_STEPS = 15
_MAX_RUNS = 512
_PAGE = 2000


@dataclass(slots=True)
class RunCurve:
    """One run's log, folded."""

    position: int
    curve: ThinnedCurve = field(default_factory=lambda: ThinnedCurve(MAX_POINTS))
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT_STEPS))
    #: The run was over when the log was read: there is nothing more to read.
    is_whole: bool = False

    @property
    def points(self) -> list[Point]:
        """The curve, thinned, with its newest point."""
        return [(step, float(f"{loss:.4g}")) for step, loss in self.curve.points()]

    @property
    def seconds_per_step(self) -> float | None:
        """Median of the newest steps, in milliseconds' precision; None before the first."""
        return round(median(self.seconds), 3) if self.seconds else None

    async def read_on(self, store: StateStore, log: str) -> None:
        """Take what the log has beyond what was read."""
        while page := await store.read(log, self.position, _PAGE):
            for one in page:
                if one.entry["kind"] == StepDone.kind:
                    loss = cast("float", one.entry["loss"])
                    self.curve.add(cast("int", one.entry["step"]), loss)
                    self.seconds.append(cast("float", one.entry["seconds"]))
            self.position = page[-1].position


class RunCurves:
    """The curves of many runs, of which those that were not asked for longest are forgotten."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._curves: OrderedDict[str, RunCurve] = OrderedDict()

    async def read(self, run: RunRow) -> RunCurve:
        """Return the curve as it is now."""
        log = RunRow.log(run.run_id)
        # Out of the table meanwhile: a second reader at the same time folds for itself.
        curve = self._curves.pop(run.run_id, None)
        if curve is None:
            last = await self._store.last_position(log)
            curve = RunCurve(max(0, last - MAX_ENTRIES))
        try:
            if not curve.is_whole:
                await curve.read_on(self._store, log)
                curve.is_whole = run.is_over
        finally:
            self._curves[run.run_id] = curve
        while len(self._curves) > _MAX_RUNS:
            self._curves.popitem(last=False)
        return curve
