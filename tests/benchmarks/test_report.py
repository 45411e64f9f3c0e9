"""Rows, bars, rounds and the exit code of all benchmarks."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from benchmarks.report import Bar, Row, Samples, build_parser, finish, format_table, interleave

QUICK = Row("a", 2.0, "s", spread=(1.0, 3.0), bar=Bar(2.5, "at most"))
FASTER = Row("b", 10.0, "ms", peer=35.0, ratio=3.5, bar=Bar(3.8, "at least", "ratio"))
BARE = Row("c", 123456.0, "tokens/s")


def _options(*arguments: str) -> Namespace:
    return build_parser("", model=True).parse_args(arguments)


def test_a_bar_is_on_the_value_or_on_the_ratio_and_its_limit_still_holds() -> None:
    at_limit = Row("d", 2.5, "s", ratio=3.8, bar=Bar(2.5, "at most"))
    assert [row.holds for row in (QUICK, FASTER, BARE, at_limit)] == [True, False, None, True]
    assert Bar(3.8, "at least", "ratio").holds(at_limit)
    with pytest.raises(ValueError, match="'c' has a bar on its ratio, and no ratio"):
        Bar(1, "at least", "ratio").holds(BARE)


def test_check_alone_turns_a_missed_bar_into_an_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    codes = [
        finish([QUICK, FASTER], _options()),
        finish([QUICK, FASTER], _options("--check")),
        finish([QUICK, BARE], _options("--check", "--json")),
    ]
    assert codes == [0, 1, 0]
    assert "MISSED" in capsys.readouterr().out


def test_json_has_the_machine_the_notes_and_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    finish([FASTER, BARE], _options("--json"), {"said": 1})
    report = json.loads(capsys.readouterr().out)
    assert report["said"] == 1
    assert {"cores", "cpu", "features", "torch", "commit"} <= report["machine"].keys()
    nothing = dict.fromkeys(("spread", "peer", "ratio", "ratio_spread", "bar", "bar_is", "holds"))
    assert report["rows"] == [
        {
            **nothing,
            "name": "b",
            "value": 10.0,
            "unit": "ms",
            "peer": 35.0,
            "ratio": 3.5,
            "bar": 3.8,
            "bar_is": "ratio at least",
            "holds": False,
        },
        {**nothing, "name": "c", "value": 123500.0, "unit": "tokens/s"},
    ]


def test_a_table_has_a_line_a_row() -> None:
    lines = format_table([QUICK, FASTER])
    assert [line.split() for line in lines[1:]] == [
        ["a", "2", "s", "1-3", "≤", "2.5", "holds"],
        ["b", "10", "ms", "35", "ms", "3.50x", "≥", "3.8x", "MISSED"],
    ]


def test_rounds_turn_their_order_after_an_untimed_one() -> None:
    calls: list[str] = []
    samples = interleave({"x": lambda: calls.append("x"), "y": lambda: calls.append("y")}, 2)
    assert "".join(calls) == "xy" + "xy" + "yx"
    assert [len(seconds) for seconds in samples.seconds.values()] == [2, 2]


def test_a_side_may_time_itself_and_ratios_stay_within_a_round() -> None:
    peer_seconds = iter([0.0, 3.0, 8.0, 4.0])
    samples = interleave({"ours": lambda: 2.0, "peer": lambda: next(peer_seconds)}, 3)
    assert samples == Samples({"ours": [2.0, 2.0, 2.0], "peer": [3.0, 8.0, 4.0]})
    row = Row.of_times("r", samples, "ours", "peer", None)
    assert (row.value, row.peer, row.ratio, row.ratio_spread) == (2000, 4000, 2.0, (1.5, 4.0))
