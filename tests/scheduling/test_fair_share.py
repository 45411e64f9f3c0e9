"""Who is served next: shares in tokens, debts, turns, and a bound for everybody."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduling.backlog import OVERHEAD, Backlog
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.fair_share import FairShare
from twinkle_jupyter.scheduling.request import Priority

#: Tokens of an op's rows.
ROWS = st.lists(st.integers(1, 20), min_size=1, max_size=5) | st.lists(
    st.integers(1, 3), min_size=20, max_size=40
)


def test_users_have_equal_tokens_however_many_adapters_and_however_long_their_ops() -> None:
    backlog = Backlog()
    backlog.add("greedy", 20, 30)
    backlog.add("polite", 4, 5)
    backlog.add("third", 2, 11)
    for _ in range(1000):
        backlog.take()
    most, least = max(backlog.served.values()), min(backlog.served.values())
    assert least > 0.98 * most


def test_a_plan_is_short_while_others_wait_and_full_when_nobody_does() -> None:
    backlog = Backlog(token_budget=100)
    backlog.add("greedy", 50, 10)
    assert len(backlog.take()) == 10
    backlog.add("polite", 1, 10)
    plans = [Counter(name[:6] for name in backlog.take()) for _ in range(20)]
    assert all(plan["greedy"] <= 2 for plan in plans)
    # Nor does the greedy one pay for what it had alone.
    assert all(plan["greedy"] >= 1 for plan in plans)
    assert all(plan["polite"] == 1 for plan in plans)


def test_what_a_user_leaves_goes_to_the_others() -> None:
    backlog = Backlog(token_budget=100)
    backlog.add("greedy", 50, 10)
    backlog.add("brief", 1, 10)
    sizes = [len(backlog.take(away="brief")) for _ in range(12)]
    # Expected back for the tokens of one plan, and then no longer.
    assert sizes[0] + sizes[1] in (3, 4)
    first_full = sizes.index(10)
    assert 10 <= sum(sizes[1:first_full]) <= 12
    assert set(sizes[first_full:]) == {10}


def test_an_op_larger_than_the_budget_is_served_alone_and_paid_back() -> None:
    backlog = Backlog(token_budget=20)
    backlog.add("huge", 2, 200)
    backlog.add("small", 2, 5)
    plans = [[name[:4] for name in backlog.take()] for _ in range(200)]
    alone = [number for number, plan in enumerate(plans) if "huge" in plan]
    assert all(plans[number] == ["huge"] for number in alone)
    # 200 tokens at 5 + 4 a round: 22 or 23 rounds, each of one plan and one of its own.
    gaps = {after - before for before, after in pairwise(alone)}
    assert gaps <= {23, 24}


def test_debt_is_not_left_behind_by_going_away() -> None:
    backlog = Backlog(token_budget=20)
    backlog.add("steady", 2, 5)
    sly = AdapterId("sly")
    num_sly = 0
    for number in range(300):
        # As soon as it is no longer expected, and as if nothing had been.
        if number % 10 == 0 and sly not in backlog.shares._lanes:
            backlog.begin(sly, "sly", 200)
        num_sly += sly in backlog.take(away="sly")
    # 200 tokens cost 22 rounds at 9; without a memory it would be served every tenth plan.
    assert num_sly <= 300 / 22 + 1


def test_nobody_is_credited_twice_for_one_round() -> None:
    backlog = Backlog(token_budget=100)
    backlog.add("steady", 1, 5)
    backlog.add("heavy", 1, 50)
    num_heavy = 0
    for _ in range(560):
        taken = backlog.take(away="heavy")
        if "heavy1" in taken:
            num_heavy += 1
            backlog.take()
            backlog.begin(AdapterId("heavy1"), "heavy", 50)
    # 560 rounds, and those that it was away for, of 9 tokens.
    assert num_heavy <= (560 + num_heavy) * 9 / 50 + 1


def test_debt_is_paid_while_its_user_is_away() -> None:
    backlog = Backlog(token_budget=20)
    backlog.add("steady", 2, 5)
    backlog.add("heavy", 1, 200)
    while "heavy2" not in backlog.take(away="heavy"):
        pass
    for _ in range(30):
        backlog.take()
    backlog.add("heavy", 1, 5)
    assert "heavy3" in [*backlog.take(), *backlog.take()]


def test_credit_is_not_saved_up() -> None:
    backlog = Backlog(token_budget=100)
    backlog.add("steady", 5, 10)
    backlog.add("modest", 1, 2)
    for _ in range(100):
        backlog.take()
    backlog.add("modest", 40, 2)
    # A quantum is 2 + 4 tokens: three ops, or a fourth to overdraw.
    assert sum(name.startswith("modest") for name in backlog.take()) <= 4


def test_plans_stay_short_for_who_is_expected_back() -> None:
    backlog = Backlog(token_budget=100)
    backlog.add("greedy", 30, 5)
    backlog.add("brief", 1, 1)
    while "brief30" not in backlog.take(away="brief"):
        pass
    # A quantum is what it was with the small op, 1 + 4 tokens.
    assert [len(backlog.take()) for _ in range(10)] == [1] * 10


def test_a_lone_op_is_served_at_once_whatever_its_user_owes() -> None:
    backlog = Backlog(token_budget=100)
    backlog.add("steady", 1, 5)
    backlog.add("heavy", 1, 90)
    backlog.take()
    backlog.shares.discard(AdapterId("steady0"))
    assert backlog.take() == ["heavy1"]


def test_who_has_just_been_served_is_not_overtaken_while_its_answer_is_on_its_way() -> None:
    """Two clients that send their next op after the plan that follows their last one."""
    backlog = Backlog(token_budget=100)
    backlog.add("greedy", 20, 10)
    backlog.add("polite", 1, 10)
    for _ in range(100):
        taken = backlog.take(away="polite")
        backlog.take(away="polite")
        if any(name.startswith("polite") for name in taken):
            backlog.begin(AdapterId("polite20"), "polite", 10)
    assert backlog.served["greedy"] <= 1.5 * backlog.served["polite"]


def test_interactive_ops_go_first_and_every_fourth_is_a_background_one() -> None:
    shares = FairShare(10, OVERHEAD)
    names: dict[AdapterId, Priority] = {
        AdapterId("b0"): "background", AdapterId("b1"): "background",
        AdapterId("i0"): "interactive", AdapterId("i1"): "interactive",
    }  # fmt: skip
    for name, priority in names.items():
        shares.add("one", name, (10,), priority)
    order = []
    for _ in range(8):
        [(name, _)] = shares.take()
        order.append(name)
        shares.add("one", name, (10,), names[name])
    assert order == ["i0", "i1", "i0", "b0", "i1", "i0", "i1", "b1"]


def test_interactive_ops_have_the_first_claim_on_a_round_and_no_more() -> None:
    backlog = Backlog(token_budget=10)
    for user in "abc":
        backlog.add(user, 1, 5, priority="background")
    for user in "xy":
        backlog.add(user, 1, 5)
    plans = [{name[0] for name in backlog.take()} for _ in range(6)]
    assert plans[0] == {"x", "y"}
    assert Counter(user for plan in plans for user in plan) == dict.fromkeys("abcxy", 2)


def starvation_bound(
    num_users: int, num_adapters: int, largest: int, token_budget: int, overhead: int = OVERHEAD
) -> float:
    """Micro-batches until a ready op is served, as `FairShare` says."""
    rounds = 1 + ceil(4 * num_adapters * largest / (overhead + 1))
    return rounds * (2 + 2 * num_users * (2 * largest + overhead) / token_budget)


@pytest.mark.parametrize("priority", ["interactive", "background"])
@settings(max_examples=50, deadline=None)
@given(
    others=st.lists(st.tuples(st.integers(1, 6), ROWS), min_size=1, max_size=5),
    rows=ROWS,
    warm_up=st.integers(0, 30),
    token_budget=st.integers(5, 60),
)
def test_no_op_waits_for_longer_than_its_share_takes(
    priority: Priority,
    others: list[tuple[int, list[int]]],
    rows: list[int],
    warm_up: int,
    token_budget: int,
) -> None:
    """Against users who always have work: rounds that pay for what goes before, then its own."""
    backlog = Backlog(token_budget)
    for number, (num_adapters, sizes) in enumerate(others):
        backlog.add(f"u{number}-", num_adapters, *sizes)
    for _ in range(warm_up):
        backlog.take()
    ours = AdapterId("ours")
    backlog.begin(ours, "u0-", *rows, priority=priority)
    num_plans = 1
    while ours not in backlog.take(away="u0-") or backlog.rest_is(ours):
        num_plans += 1
        assert num_plans < 10_000
    largest = max(sum(rows), *(sum(sizes) for _, sizes in others))
    num_adapters = others[0][0] + 1
    assert num_plans <= starvation_bound(len(others), num_adapters, largest, token_budget)


@settings(max_examples=100, deadline=None)
@given(
    users=st.lists(st.tuples(st.integers(1, 5), ROWS), min_size=2, max_size=5),
    num_plans=st.integers(1, 200),
    token_budget=st.integers(5, 60),
)
def test_what_busy_users_have_had_differs_by_a_few_ops_only(
    users: list[tuple[int, list[int]]], num_plans: int, token_budget: int
) -> None:
    """However long it goes on. Each has the tokens of a quantum ready, so that none falls short."""
    backlog = Backlog(token_budget)
    largest = max(sum(rows) for _, rows in users)
    quantum = min(sum(rows) for _, rows in users) + OVERHEAD
    for number, (num_adapters, rows) in enumerate(users):
        backlog.add(f"u{number}-", num_adapters + ceil(quantum / sum(rows)), *rows)
    for _ in range(num_plans):
        backlog.take()
    had = [backlog.served[f"u{number}-"] for number in range(len(users))]
    assert max(had) - min(had) <= 2 * (largest + quantum)
