"""A loss curve of bounded length, however long its run is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Point = tuple[int, float]


@dataclass(slots=True)
class ThinnedCurve:
    """Every `stride`-th step with its loss, and the newest one."""

    max_points: int
    stride: int = 1
    newest: Point | None = None
    _thinned: list[Point] = field(default_factory=list)

    def add(self, step: int, loss: float) -> None:
        """Take a step's loss; one that is no number has no place in JSON or on a plot."""
        if not math.isfinite(loss):
            return
        self.newest = (step, loss)
        if (step - 1) % self.stride == 0:
            self._thinned.append(self.newest)
        if len(self._thinned) >= self.max_points:
            self.stride *= 2
            self._thinned = [one for one in self._thinned if (one[0] - 1) % self.stride == 0]

    def points(self) -> list[Point]:
        """Return the curve with its newest point, `max_points` at most."""
        ends = [] if self.newest is None or self.newest in self._thinned[-1:] else [self.newest]
        return [*self._thinned, *ends]
