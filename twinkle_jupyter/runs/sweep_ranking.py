"""Who is ahead in a sweep, and who is stopped by successive halving. Pure.

Both look at eval losses only as they are in the members' logs, so that whoever asks, before or
after a crash, gets the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twinkle_jupyter.store.records import RunState

_INFINITE = math.inf


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one member is."""

    run_id: str
    state: RunState
    step: int
    #: 0 until its rows have been counted.
    total_steps: int
    #: By step, in order.
    evals: Mapping[int, float]
    #: Mean training loss of the newest steps; None before the first.
    recent_loss: float | None = None
    #: Members that were added together are halved among themselves.
    wave: int = 0
    #: The eval loss of the weights that it leaves, where those are not the newest.
    kept_loss: float | None = None

    @property
    def eval_loss(self) -> float | None:
        """The loss that it is ranked by; None before the first eval, and where it is no number."""
        if self.kept_loss is not None:
            return self.kept_loss
        newest = self.evals[max(self.evals)] if self.evals else None
        return newest if newest is not None and math.isfinite(newest) else None

    def loss_at(self, rung: int) -> float | None:
        """Return the first eval loss at or after a step; None before there is one."""
        steps = [step for step in self.evals if step >= rung]
        if not steps:
            return None
        loss = self.evals[min(steps)]
        return loss if math.isfinite(loss) else _INFINITE


@dataclass(frozen=True, slots=True)
class Cut:
    """Members that end at a rung."""

    wave: int
    #: 0, 1, … of the wave.
    rung: int
    #: The worst first.
    stopped: tuple[str, ...]


def rank(standings: Sequence[Standing]) -> list[str]:
    """Return the members' run ids, the best first.

    Those with an eval loss come before those that have only trained, those that failed last; equals
    stay in the sweep's order.
    """

    def key(one: Standing) -> tuple[bool, bool, float, float]:
        eval_loss, recent = one.eval_loss, one.recent_loss
        is_finite = recent is not None and math.isfinite(recent)
        return (
            one.state == "failed",
            eval_loss is None,
            _INFINITE if eval_loss is None else eval_loss,
            recent if recent is not None and is_finite else _INFINITE,
        )

    return [one.run_id for one in sorted(standings, key=key)]


def rungs(total_steps: int, num_members: int, factor: int) -> tuple[int, ...]:
    """Return the steps at which so many members are cut to one, a `factor`-th at each.

    The last is at `total_steps / factor`, the one before at `total_steps / factor²`, and so on.
    """
    count = 0
    while num_members > 1:
        num_members = -(-num_members // factor)
        count += 1
    return tuple(max(1, total_steps // factor**power) for power in range(count, 0, -1))


def next_cut(standings: Sequence[Standing], factor: int, done: Sequence[Cut]) -> Cut | None:
    """Return a cut that can be made now; None while every wave waits for a member.

    A wave is cut once each of its members that goes on has an eval loss at or after the rung. Who
    failed or was stopped is out, and nobody waits for it.

    Args:
        standings: All members that the sweep has.
        factor: What is left is a `factor`-th, at least one.
        done: The cuts so far.
    """
    for wave in sorted({one.wave for one in standings}):
        cut = _next_cut_of_wave([one for one in standings if one.wave == wave], factor, done)
        if cut is not None:
            return cut
    return None


def _next_cut_of_wave(members: Sequence[Standing], factor: int, done: Sequence[Cut]) -> Cut | None:
    wave = members[0].wave
    cuts = [cut for cut in done if cut.wave == wave]
    if len(cuts) == len(rungs(1, len(members), factor)):
        return None
    out = {run_id for cut in cuts for run_id in cut.stopped}
    left = [one for one in members if one.run_id not in out and one.state not in _OUT]
    losses = {one.run_id: _loss_at_rung(one, len(cuts), len(members), factor) for one in left}
    known = {run_id: loss for run_id, loss in losses.items() if loss is not None}
    if len(known) < len(losses):
        return None
    best_first = sorted(known, key=lambda run_id: known[run_id])
    num_kept = max(1, -(-len(best_first) // factor))
    return Cut(wave, len(cuts), tuple(reversed(best_first[num_kept:])))


_OUT: frozenset[RunState] = frozenset({"failed", "stopped"})


def _loss_at_rung(one: Standing, rung: int, num_members: int, factor: int) -> float | None:
    if not one.total_steps:
        return None
    return one.loss_at(rungs(one.total_steps, num_members, factor)[rung])
