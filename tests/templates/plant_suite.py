"""Every plant in every template that TRL ships, and every sound row: what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.templates.fault_case import Case
from tests.templates.planted_faults import PLANTS, longer_answer
from tests.templates.sound_rows import (
    ASK,
    NEVER_SOUND,
    NEVER_WRITTEN,
    TOOL,
    find_sound_rows,
    sound_answers,
    writes_tools,
)
from tests.templates.trl_templates import build_template, read_sources


@dataclass
class Outcome:
    """What became of one mistake over all templates."""

    planted: int = 0
    caught: int = 0
    missed: list[str] = field(default_factory=list)


def run_suite() -> dict[str, Outcome]:
    """Plant every mistake into every template; return what became of each."""
    outcomes = {plant.code: Outcome() for plant in PLANTS}
    for name, source in read_sources().items():
        for plant in PLANTS:
            if name in NEVER_WRITTEN and plant.needs_tokens:
                continue
            case = plant.make(name, build_template(source))
            if case is None:
                continue
            outcome = outcomes[plant.code]
            outcome.planted += 1
            faults = case.find()
            if any((f.code, f.severity) == (plant.code, plant.severity) for f in faults):
                outcome.caught += 1
            else:
                outcome.missed.append(f"{name}: {[fault.code for fault in faults]}")
    return outcomes


def find_false_alarms() -> tuple[int, list[str]]:
    """Check all sound rows, and pairs; return their number and what was said against them."""
    count, alarms = 0, []
    for name, source in read_sources().items():
        for loss_mask, row in find_sound_rows(name):
            count += 1
            faults = Case(build_template(source), [row], loss_mask).find()
            alarms += [f"{name}, {loss_mask}, {len(row)}: {fault}" for fault in faults]
        if writes_tools(name):
            count += 1
            case = Case(build_template(source), [[ASK, sound_answers(name)[0]]], tools=(TOOL,))
            alarms += [f"{name}, tools: {fault}" for fault in case.find()]
        if name not in NEVER_SOUND:
            count += 1
            answers = ([sound_answers(name)[0]], [longer_answer(name)])
            pair = Case(build_template(source), [[ASK]], answers=answers)
            alarms += [f"{name}, pair: {fault}" for fault in pair.find()]
    return count, alarms


def count(outcomes: Mapping[str, Outcome]) -> tuple[int, int]:
    """Return how many faults were planted, and how many of them were caught."""
    planted = sum(outcome.planted for outcome in outcomes.values())
    return planted, sum(outcome.caught for outcome in outcomes.values())
