"""What a run looks like at one moment, folded from its events: pure, and bounded in size.

This is what a saved notebook keeps. No key, no URL and no path of the server gets in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypedDict, TypeVar, cast

from twinkle_jupyter.notebook.probe_history import Probe, ProbeAnswer, add_answer, with_history
from twinkle_jupyter.notebook.run_marks import (
    Mark,
    add_mark,
    command_mark,
    interruption_mark,
    steered_mark,
)

#: Points of a curve in a snapshot at most; of what else there is of each step, fewer.
MAX_POINTS = 500
MAX_EVAL_POINTS = 250
MAX_CURVE_POINTS = 120
#: Digits of a number in a curve; a picture shows three of them.
DIGITS = 5
#: Rates are those of so many newest steps.
RECENT_STEPS = 10

Entry = Mapping[str, object]
Point = tuple[int, float]
T = TypeVar("T")


class PhaseSeconds(TypedDict):
    """Where the newest step's time went."""

    queue: float
    forward: float
    backward: float
    optimizer: float


class Curves(TypedDict):
    """What else there is of each step, thinner."""

    learning_rate: list[Point]
    tokens_per_second: list[Point]
    grad_norm: list[Point]


class Snapshot(TypedDict):
    """The `snapshot` of the panel's MIME type."""

    state: str
    step: int
    total_steps: int
    reason: str
    message: str
    last_event_id: int
    learning_rate: float | None
    seconds_per_step: float | None
    tokens_per_second: float | None
    grad_norm: float | None
    phase_seconds: PhaseSeconds | None
    #: Of the newest step: what the loss says beside itself, such as `accuracy`.
    metrics: dict[str, float]
    #: Estimate of what the trainer's machine needs at most; 0 where there is none.
    memory_bytes: int
    #: What that machine has; 0 where there is no estimate.
    machine_bytes: int
    #: The newest thing that a person should know of.
    notice: str
    points: list[Point]
    eval_points: list[Point]
    curves: Curves
    probes: list[Probe]
    #: What happened along the way, by step.
    marks: list[Mark]


@dataclass(slots=True)
class RunPicture:
    """Takes events in order and gives a snapshot at any time."""

    state: str = "queued"
    step: int = 0
    total_steps: int = 0
    reason: str = ""
    message: str = ""
    last_event_id: int = 0
    learning_rate: float | None = None
    grad_norm: float | None = None
    phase_seconds: PhaseSeconds | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    memory_bytes: int = 0
    machine_bytes: int = 0
    notice: str = ""
    points: list[Point] = field(default_factory=list)
    eval_points: list[Point] = field(default_factory=list)
    learning_rates: list[Point] = field(default_factory=list)
    speeds: list[Point] = field(default_factory=list)
    grad_norms: list[Point] = field(default_factory=list)
    probes: dict[int, Probe] = field(default_factory=dict)
    histories: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    #: Step, reason and time of the interruption that goes on.
    interruption: tuple[int, str, str] | None = None
    #: Tokens and seconds of the newest steps.
    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=RECENT_STEPS))

    def add(self, position: int, entry: Entry) -> None:
        """Take one event; one that was taken before changes nothing."""
        if position <= self.last_event_id:
            return
        self.last_event_id = position
        take = _TAKE.get(str(entry["kind"]))
        if take is not None:
            take(self, entry)

    def snapshot(self) -> Snapshot:
        """Return what the panel's MIME type carries."""
        seconds = self._seconds_per_step()
        return {
            "state": self.state,
            "step": self.step,
            "total_steps": self.total_steps,
            "reason": self.reason,
            "message": self.message,
            "last_event_id": self.last_event_id,
            "learning_rate": self.learning_rate,
            "seconds_per_step": seconds,
            "tokens_per_second": self._tokens_per_second(seconds),
            "grad_norm": self.grad_norm,
            "phase_seconds": self.phase_seconds,
            "metrics": self.metrics,
            "memory_bytes": self.memory_bytes,
            "machine_bytes": self.machine_bytes,
            "notice": self.notice,
            "points": _short(self.points, MAX_POINTS),
            "eval_points": _short(self.eval_points, MAX_EVAL_POINTS),
            "curves": {
                "learning_rate": _short(self.learning_rates, MAX_CURVE_POINTS),
                "tokens_per_second": _short(self.speeds, MAX_CURVE_POINTS),
                "grad_norm": _short(self.grad_norms, MAX_CURVE_POINTS),
            },
            "probes": self._probes(),
            "marks": list(self.marks),
        }

    def _probes(self) -> list[Probe]:
        order = sorted(self.probes)
        return with_history(
            [self.probes[index] for index in order], [self.histories[index] for index in order]
        )

    def _seconds_per_step(self) -> float | None:
        # The median: the first step after a pause carries the pause in its seconds.
        return median(seconds for _, seconds in self.recent) if self.recent else None

    def _tokens_per_second(self, seconds_per_step: float | None) -> float | None:
        if not seconds_per_step:
            return None
        return sum(tokens for tokens, _ in self.recent) / len(self.recent) / seconds_per_step

    def take_state(self, entry: Entry) -> None:
        """The run went into another state."""
        self.state = str(entry["state"])
        self.reason = str(entry.get("reason", ""))
        self.message = ""
        at = str(entry.get("at", ""))
        if self.state == "interrupted":
            self.interruption = self.interruption or (_whole(entry["step"]), self.reason, at)
        elif self.interruption is not None and self.state != "queued":
            add_mark(self.marks, interruption_mark(*self.interruption, until=at))
            self.interruption = None

    def take_progress(self, entry: Entry) -> None:
        """Something is under way before or between steps."""
        self.message = str(entry["message"])

    def take_planned(self, entry: Entry) -> None:
        """The run knows its length."""
        self.total_steps = _whole(entry["total_steps"])
        self.memory_bytes = _whole(entry.get("memory_bytes", 0))
        self.machine_bytes = _whole(entry.get("machine_bytes", 0))

    def take_step(self, entry: Entry) -> None:
        """One optimizer step."""
        self.step = _whole(entry["step"])
        self.message = ""
        self.learning_rate = _number(entry["learning_rate"])
        self.grad_norm = _finite_or_none(entry.get("grad_norm"))
        self.phase_seconds = {
            "queue": _number(entry.get("queue_seconds", 0.0)),
            "forward": _number(entry.get("forward_seconds", 0.0)),
            "backward": _number(entry.get("backward_seconds", 0.0)),
            "optimizer": _number(entry.get("optimizer_seconds", 0.0)),
        }
        self.metrics = dict(cast("Mapping[str, float]", entry.get("metrics", {})))
        _append_finite(self.points, entry)
        num_tokens, seconds = _whole(entry["num_tokens"]), _number(entry["seconds"])
        self.recent.append((num_tokens, seconds))
        self.learning_rates.append((self.step, self.learning_rate))
        if self.grad_norm is not None:
            self.grad_norms.append((self.step, self.grad_norm))
        if seconds > 0:
            self.speeds.append((self.step, num_tokens / seconds))

    def take_notice(self, entry: Entry) -> None:
        """Something that a person should know of, and that the run went on after."""
        self.notice = str(entry["message"])

    def take_command(self, entry: Entry) -> None:
        """A person paused, resumed or stopped the run."""
        add_mark(self.marks, command_mark(_whole(entry["step"]), str(entry["command"])))

    def take_steered(self, entry: Entry) -> None:
        """Settings changed while the run was going on, or a change was refused."""
        changes = cast("Mapping[str, object]", entry["changes"])
        refusal = str(entry.get("refusal", ""))
        add_mark(self.marks, steered_mark(_whole(entry["step"]), changes, refusal))
        if not refusal and entry.get("total_steps"):
            self.total_steps = _whole(entry["total_steps"])

    def take_eval(self, entry: Entry) -> None:
        """Loss on the rows kept from training."""
        _append_finite(self.eval_points, entry)

    def take_probe(self, entry: Entry) -> None:
        """The answer to one probe."""
        index, step, answer = _whole(entry["index"]), _whole(entry["step"]), str(entry["answer"])
        known = self.probes.get(index)
        probe: Probe = {
            "index": index,
            "prompt": str(entry["prompt"]),
            "step": step,
            "answer": answer,
        }
        if known is not None:
            first: ProbeAnswer = {"step": known["step"], "answer": known["answer"]}
            probe["before"] = known.get("before", first)
        self.probes[index] = probe
        add_answer(self.histories.setdefault(index, []), step, answer)


_TAKE = {
    "state": RunPicture.take_state,
    "progress": RunPicture.take_progress,
    "planned": RunPicture.take_planned,
    "step": RunPicture.take_step,
    "notice": RunPicture.take_notice,
    "eval": RunPicture.take_eval,
    "probe": RunPicture.take_probe,
    "command": RunPicture.take_command,
    "steered": RunPicture.take_steered,
}


def snapshot(events: Iterable[tuple[int, Entry]]) -> Snapshot:
    """Fold the events of a run, each with its position, into what a panel shows."""
    picture = RunPicture()
    for position, entry in events:
        picture.add(position, entry)
    return picture.snapshot()


def thin_out(points: Sequence[T], limit: int) -> list[T]:
    """Keep at most `limit` points, evenly spread, the first and the newest among them."""
    if len(points) <= limit:
        return list(points)
    last = len(points) - 1
    return [points[round(i * last / (limit - 1))] for i in range(limit)]


def _short(points: Sequence[Point], limit: int) -> list[Point]:
    """Keep so many points at most, with so many digits as a picture can show."""
    return [(step, float(f"{value:.{DIGITS}g}")) for step, value in thin_out(points, limit)]


def _append_finite(points: list[Point], entry: Entry) -> None:
    """Add the loss unless it is none: JSON has no NaN, and a plot has no place for it."""
    loss = entry["loss"]
    if isinstance(loss, int | float) and math.isfinite(loss):
        points.append((_whole(entry["step"]), float(loss)))


def _finite_or_none(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _whole(value: object) -> int:
    return int(cast("int", value))


def _number(value: object) -> float:
    return float(cast("float", value))
