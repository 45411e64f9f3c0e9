"""Whom a micro-batch waits for: by example, with the time told."""

from __future__ import annotations

import pytest

from tests.scheduling.conftest import A, B, C
from twinkle_jupyter.scheduling.company import Company


def _company(plan_seconds: float = 1.0) -> Company:
    company = Company()
    company.lasted(plan_seconds)
    return company


def test_a_plan_waits_for_the_last_of_those_who_were_answered() -> None:
    company = _company(0.2)
    company.answered(A, 10.0)
    company.answered(B, 10.01)
    assert company.wait_s(10.01) == pytest.approx(0.02)
    company.came(B, 10.012)
    assert company.wait_s(10.012) == pytest.approx(0.008)
    company.came(A, 10.013)
    assert company.wait_s(10.013) == 0


@pytest.mark.parametrize(("lasted", "limit"), [(0.0001, 0.005), (0.3, 0.03), (60.0, 0.05)])
def test_a_plan_waits_for_a_small_part_of_what_one_lasts(lasted: float, limit: float) -> None:
    company = _company(lasted)
    company.answered(A, 5.0)
    assert company.wait_s(5.0) == pytest.approx(limit)
    assert company.wait_s(5.0 + limit) == pytest.approx(0)


def test_who_was_slow_is_waited_for_again_once_they_were_not() -> None:
    company = _company()
    for came, wait in ((1.0, 0.05), (0.01, 0.0), (0.01, 0.05)):
        company.answered(A, 100.0)
        assert company.wait_s(100.0) == pytest.approx(wait)
        company.came(A, 100.0 + came)


def test_nobody_waits_for_who_is_gone_or_at_work() -> None:
    company = _company()
    company.came(A, 1.0)
    company.answered(B, 1.0)
    company.gone(B)
    company.gone(C)
    assert company.wait_s(1.0) == 0


def test_steps_shorter_than_the_way_there_and_back_are_waited_for_by_those_as_far_away() -> None:
    company = _company(0.003)
    company.answered(A, 1.0)
    company.came(A, 1.016)  # nobody waited: it is not slow
    company.answered(A, 1.02)
    company.answered(B, 1.012)
    company.came(B, 1.026)  # away for 14 ms, and waits as long as half of that for others
    assert company.wait_s(1.026) == pytest.approx(1.02 + 0.021 - 1.026)
    company.came(A, 1.036)
    assert company.wait_s(1.036) == 0


def test_who_is_near_does_not_wait_for_who_is_far_away() -> None:
    company = _company(0.003)
    company.answered(A, 1.0)
    company.answered(B, 1.0)
    company.came(A, 1.004)
    assert company.wait_s(1.004) == pytest.approx(0.002)
    company.came(B, 1.04)
    company.answered(A, 1.05)
    company.answered(B, 1.05)
    company.came(A, 1.054)
    assert company.wait_s(1.054) == 0, "it was slow"
