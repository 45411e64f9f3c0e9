"""What each probe answered along a run: kept by step, and bounded in number and size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

#: Answers of one probe that are kept, and that a snapshot has at most.
MAX_ANSWERS = 40
#: Characters of all answers that a snapshot has at most; above it there are fewer of each probe.
MAX_CHARS = 40_000


class ProbeAnswer(TypedDict):
    """An answer to a probe and the step whose weights gave it."""

    step: int
    answer: str


class Probe(TypedDict, total=False):
    """One probe: its newest answer, its first where there is a newer one, and those between."""

    index: int
    prompt: str
    step: int
    answer: str
    before: ProbeAnswer
    #: Step and answer from the first to the newest; there once there are more than two.
    history: list[tuple[int, str]]


def add_answer(history: list[tuple[int, str]], step: int, answer: str) -> None:
    """Add an answer; of too many goes the one whose neighbours are nearest to each other."""
    history[:] = sorted([*(said for said in history if said[0] != step), (step, answer)])
    if len(history) > MAX_ANSWERS:
        rooms = [history[i + 1][0] - history[i - 1][0] for i in range(1, len(history) - 1)]
        del history[1 + rooms.index(min(rooms))]


def with_history(
    probes: Sequence[Probe], histories: Sequence[list[tuple[int, str]]]
) -> list[Probe]:
    """Return the probes with as much of their histories as a snapshot may have."""
    limit = MAX_ANSWERS
    while limit > 2 and _num_chars(histories, limit) > MAX_CHARS:
        limit //= 2
    full: list[Probe] = []
    for probe, history in zip(probes, histories, strict=True):
        kept = _spread(history, limit)
        full.append({**probe, "history": kept} if len(kept) > 2 and limit > 2 else probe)
    return full


def _num_chars(histories: Sequence[list[tuple[int, str]]], limit: int) -> int:
    return sum(len(answer) for history in histories for _, answer in _spread(history, limit))


def _spread(history: list[tuple[int, str]], limit: int) -> list[tuple[int, str]]:
    if len(history) <= limit:
        return list(history)
    last = len(history) - 1
    return [history[round(i * last / (limit - 1))] for i in range(limit)]
