"""The fault list over TRL's 72 templates: what is planted is caught, what is sound passes."""

from __future__ import annotations

from tests.templates.planted_faults import (
    NEVER_SOUND,
    count,
    find_false_alarms,
    find_sound_rows,
    run_suite,
)
from tests.templates.trl_templates import read_sources
from twinkle_jupyter.templates.checks.fault import FAULTS


def test_every_planted_fault_is_caught() -> None:
    outcomes = run_suite()
    missed = {code: outcome.missed for code, outcome in outcomes.items() if outcome.missed}
    assert missed == {}
    assert set(outcomes) == set(FAULTS)
    planted, caught = count(outcomes)
    assert caught == planted >= 1_300


def test_sound_rows_raise_no_alarm() -> None:
    num_rows, alarms = find_false_alarms()
    assert alarms == []
    assert num_rows >= 400
    assert {name for name in read_sources() if not find_sound_rows(name)} == NEVER_SOUND
