"""Who is ahead, and who ends at a rung: pure rules over what the logs say."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.runs.sweep_ranking import Cut, Standing, next_cut, rank, rungs


def _standing(run_id: str, evals: dict[int, float], total: int = 90) -> Standing:
    return Standing(run_id, "running", max(evals, default=0), total, evals)


def test_the_newest_eval_loss_ranks_and_training_loss_stands_in() -> None:
    members = [
        replace(_standing("failed", {10: 0.1}), state="failed"),
        replace(_standing("trained", {}), recent_loss=0.2),
        replace(_standing("nothing", {}), recent_loss=float("nan")),
        _standing("better before", {10: 0.5, 20: 0.9}),
        _standing("broken", {10: 0.5, 20: float("inf")}),
        _standing("ahead", {10: 0.8}),
        replace(_standing("kept its best", {10: 0.7, 20: 2.0}), kept_loss=0.7),
    ]
    assert rank(members) == [
        *("kept its best", "ahead", "better before", "trained", "nothing", "broken", "failed"),
    ]


def test_rungs_leave_one() -> None:
    assert rungs(90, 9, 3) == (10, 30)
    assert rungs(90, 8, 3) == (10, 30)
    assert rungs(90, 2, 3) == (30,)
    assert rungs(5, 9, 3) == (1, 1)
    assert rungs(90, 1, 3) == ()


def test_the_worst_two_thirds_end_at_a_rung_once_all_have_reached_it() -> None:
    members = [_standing(f"m{n}", {10: float(n)}) for n in range(9)]
    assert next_cut([*members[:8], _standing("m8", {9: 8.0})], 3, []) is None
    first = next_cut(members, 3, [])
    assert first == Cut(0, 0, ("m8", "m7", "m6", "m5", "m4", "m3"))
    assert next_cut(members, 3, [first]) is None

    # What counts is the loss at the rung, however much further a member is by now.
    further = [_standing("m0", {10: 0.0, 30: 5.0}), *members[1:3], *members[3:]]
    further[1] = _standing("m1", {10: 1.0, 30: 4.0, 40: 9.0})
    further[2] = replace(members[2], state="stopped")
    second = next_cut(further, 3, [first])
    assert second == Cut(0, 1, ("m0",))
    assert next_cut(further, 3, [first, second]) is None


def test_members_that_were_added_later_are_halved_among_themselves() -> None:
    old = [_standing(f"old{n}", {45: float(n)}) for n in range(2)]
    new = [replace(_standing(f"new{n}", {45: 9.0 - n}), wave=1) for n in range(2)]
    first = next_cut([*old, *new], 2, [])
    assert first == Cut(0, 0, ("old1",))
    assert next_cut([*old, *new], 2, [first]) == Cut(1, 0, ("new0",))


@given(
    losses=st.lists(st.floats(0, 10) | st.just(float("inf")), min_size=2, max_size=40),
    factor=st.integers(2, 5),
)
def test_halving_leaves_the_best_one(losses: list[float], factor: int) -> None:
    total = 1000
    members = [
        _standing(f"m{n:02}", dict.fromkeys(range(1, total + 1, 7), loss), total)
        for n, loss in enumerate(losses)
    ]
    cuts: list[Cut] = []
    while (cut := next_cut(members, factor, cuts)) is not None:
        cuts.append(cut)
    stopped = [run_id for cut in cuts for run_id in cut.stopped]
    assert len(stopped) == len(set(stopped)) == len(members) - 1
    [left] = {one.run_id for one in members} - set(stopped)
    assert left == rank(members)[0]
