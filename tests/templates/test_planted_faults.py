"""The fault list over TRL's 72 templates: what is planted is caught, what is sound passes."""

from __future__ import annotations

from tests.templates.fault_case import Case
from tests.templates.plant_suite import count, find_false_alarms, run_suite
from tests.templates.sound_rows import (
    ASK,
    NEVER_SOUND,
    NEVER_WRITTEN,
    find_sound_rows,
    sound_answers,
)
from tests.templates.trl_templates import build_template, read_sources
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


def test_a_template_whose_answers_never_follow_its_prompt_is_always_refused() -> None:
    for name in NEVER_WRITTEN:
        template = build_template(read_sources()[name])
        for answer in (sound_answers(name)[0], sound_answers("qwen3")[0]):
            faults = Case(template, [[ASK, answer]]).find()
            assert [(f.code, f.severity) for f in faults] == [("prompt_text_differs", "refuse")]
