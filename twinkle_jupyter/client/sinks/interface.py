"""What every logger is told of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from twinkle_jupyter.store.interface import Row


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run as a logger knows it."""

    run_id: str
    adapter: str
    config: Row
    #: Of runs that belong together, such as a sweep's; empty for a run alone.
    group: str = ""

    @property
    def title(self) -> str:
        """What people read."""
        return f"{self.adapter} {self.run_id}"


class MetricSink(Protocol):
    """One run in one logger. Steps come in order."""

    def begin(self, run: LoggedRun) -> int:
        """Open the run; return the newest step that the logger has of it already, -1 for none."""
        ...

    def log(self, step: int, values: Mapping[str, float], at_s: float) -> None:
        """Take in numbers of a step; `at_s` is when, in seconds since 1970."""
        ...

    def text(self, step: int, name: str, text: str, at_s: float) -> None:
        """Take in what a prompt was answered with the weights of a step."""
        ...

    def finish(self, state: str) -> None:
        """Close the run; everything is written when this returns."""
        ...
