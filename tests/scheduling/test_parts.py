"""Large ops beside small ones: in which parts they are served, and in which order."""

from __future__ import annotations

import pytest

from tests.scheduling.backlog import Backlog
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.fair_share import MAX_BEGUN
from twinkle_jupyter.scheduling.op_part import first_units


def test_a_large_op_is_served_in_parts_of_like_size_beside_others_and_whole_alone() -> None:
    backlog = Backlog(token_budget=100)
    backlog.add("polite", 1, 5, 6)
    backlog.add("greedy", 3, *[7] * 8)
    before = backlog.served["greedy"]
    sizes = []
    for _ in range(60):
        taken = backlog.take()
        assert taken[0] == "polite0"
        sizes.append(backlog.served["greedy"] - before)
        before = backlog.served["greedy"]
        # An op that was begun is ended before the next: at most one is under way.
        begun = [name for name in backlog.left if 0 < backlog.rest_is(name) < 8]
        assert len([name for name in begun if name.startswith("greedy")]) <= 1
    # A quantum is 11 + 4 tokens: two rows of 7 most of the time, and all of them in the long run.
    assert max(sizes) <= 28
    assert sum(sizes) == pytest.approx(60 * 15, abs=28)
    backlog.shares.discard(AdapterId("polite0"))
    for _ in range(8):
        backlog.take()
    assert [backlog.rest_is(name) for name in backlog.left if name != "polite0"] == [8, 8, 8]


def test_an_op_that_was_begun_goes_before_its_user_s_other_ops_whatever_their_priority() -> None:
    backlog = Backlog(token_budget=1000)
    backlog.add("other", 1, 1)
    backlog.add("own", 1, *[10] * 8, priority="background")
    while backlog.rest_is(AdapterId("own1")) == 8:
        backlog.take()
    backlog.add("own", 1, 10)
    order: list[AdapterId] = []
    while AdapterId("own2") not in order:
        order += backlog.take()
    assert backlog.rest_is(AdapterId("own1")) == 8, "it was done, and its next one was not begun"


def test_a_background_op_in_parts_does_not_wait_behind_its_user_s_interactive_ones() -> None:
    backlog = Backlog(token_budget=8192)
    backlog.add("own", 1, 2000)
    backlog.add("own", 1, *[256] * 8, priority="background")
    backlog.add("other", 1, 10)
    num_plans = 0
    while "own1" not in backlog.take() or backlog.rest_is(AdapterId("own1")) < 8:
        num_plans += 1
        assert num_plans < 2000
    # Three of the others and its own are 8,048 tokens, at 14 a round, and each is paid for.
    assert num_plans < 8048 / 14 + 10


def test_few_ops_are_partly_done_at_a_time() -> None:
    backlog = Backlog(token_budget=10_000)
    backlog.add("small", 1, 1)
    for number in range(20):
        backlog.add(f"large{number}-", 1, *[5] * 30)
    for _ in range(200):
        backlog.take()
        partly = [name for name, left in backlog.left.items() if 0 < len(left) < 30]
        assert len([name for name in partly if name != "small0"]) <= MAX_BEGUN


def test_a_part_fits_into_a_plan_where_its_rows_do() -> None:
    backlog = Backlog(token_budget=100)
    backlog.add("one", 1, *[50] * 8)
    backlog.add("two", 1, *[50] * 8)
    for _ in range(20):
        before = backlog.served.total()
        backlog.take()
        assert backlog.served.total() - before <= 100


def test_an_op_is_cut_into_like_parts_and_never_within_a_row() -> None:
    assert first_units((7,) * 8, about=15) == 2
    assert first_units((7,) * 6, about=15) == 2
    assert first_units((7,) * 3, about=15) == 3
    assert first_units((40, 1, 1), about=15) == 1
    assert first_units((40,), about=1) == 1
    assert first_units((1, 1, 40), about=1) == 1


def test_who_had_the_machine_alone_is_expected_back_as_others_are() -> None:
    """Two users who take turns, each away while the other is served."""
    backlog = Backlog(token_budget=100)
    backlog.add("first", 1, *[7] * 8)
    assert backlog.take(away="first") == ["first0"]
    backlog.add("second", 1, 5)
    assert backlog.take(away="second") == ["second1"]
    backlog.begin(AdapterId("first0"), "first", *[7] * 8)
    backlog.take()
    # The second one is expected back; a part is 4 times the overhead of 4 at least, meanwhile.
    assert backlog.rest_is(AdapterId("first0")) == 6
