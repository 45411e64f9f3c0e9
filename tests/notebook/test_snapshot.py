"""What a saved panel keeps of a run's events."""

from __future__ import annotations

import json
import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.notebook.figures import phase_line, plotly_figure, run_html, run_line
from twinkle_jupyter.notebook.snapshot import Entry, RunPicture, snapshot, thin_out


def _step(step: int, loss: float | None = 0.5, seconds: float = 0.5) -> Entry:
    return {
        "kind": "step",
        "step": step,
        "loss": loss,
        "learning_rate": 0.001,
        "num_tokens": 100,
        "seconds": seconds,
        "grad_norm": 0.5,
        "queue_seconds": 0.01,
        "forward_seconds": 0.2,
        "backward_seconds": 0.25,
        "optimizer_seconds": 0.02,
    }


def _probe(step: int, answer: str) -> Entry:
    return {"kind": "probe", "step": step, "index": 0, "prompt": "Who?", "answer": answer}


def test_a_snapshot_has_what_the_panel_shows() -> None:
    entries: list[Entry] = [
        {"kind": "state", "state": "running", "step": 0, "reason": ""},
        {"kind": "progress", "message": "Loading weights", "fraction": None},
        {
            "kind": "planned",
            "total_steps": 40,
            "num_train_rows": 8,
            "num_eval_rows": 2,
            "memory_bytes": 1_200_000_000,
            "machine_bytes": 8_000_000_000,
        },
        _probe(0, "SmolLM"),
        _step(1, 2.0, seconds=1.0),
        _step(2, 1.0, seconds=0.5),
        {"kind": "notice", "step": 2, "message": "Step 2 was computed in 2 parts."},
        {"kind": "eval", "step": 2, "loss": 1.5},
        _probe(2, "Twinkle"),
        {"kind": "kind of a later version", "step": 2},
    ]

    assert snapshot(enumerate(entries, start=1)) == {
        "state": "running",
        "step": 2,
        "total_steps": 40,
        "reason": "",
        "message": "",
        "last_event_id": 10,
        "learning_rate": 0.001,
        "seconds_per_step": 0.75,
        "tokens_per_second": 100 / 0.75,
        "grad_norm": 0.5,
        "phase_seconds": {"queue": 0.01, "forward": 0.2, "backward": 0.25, "optimizer": 0.02},
        "memory_bytes": 1_200_000_000,
        "machine_bytes": 8_000_000_000,
        "notice": "Step 2 was computed in 2 parts.",
        "points": [(1, 2.0), (2, 1.0)],
        "eval_points": [(2, 1.5)],
        "curves": {
            "learning_rate": [(1, 0.001), (2, 0.001)],
            "tokens_per_second": [(1, 100.0), (2, 200.0)],
            "grad_norm": [(1, 0.5), (2, 0.5)],
        },
        "probes": [
            {
                "index": 0,
                "prompt": "Who?",
                "step": 2,
                "answer": "Twinkle",
                "before": {"step": 0, "answer": "SmolLM"},
            }
        ],
        "marks": [],
        "metrics": {},
    }


def test_an_event_that_comes_twice_counts_once() -> None:
    picture = RunPicture()
    for position in (1, 1, 2, 1):
        picture.add(position, _step(position))

    assert picture.snapshot()["points"] == [(1, 0.5), (2, 0.5)]


def test_a_pause_does_not_slow_the_rate() -> None:
    steps = [_step(n, seconds=600.0 if n == 5 else 0.5) for n in range(1, 11)]

    assert snapshot(enumerate(steps, start=1))["seconds_per_step"] == 0.5


def test_a_loss_that_is_no_number_leaves_a_gap_and_valid_json() -> None:
    picture = snapshot([(1, _step(1, 1.0)), (2, _step(2, math.nan)), (3, _step(3, None))])

    assert picture["points"] == [(1, 1.0)]
    assert picture["step"] == 3
    json.dumps([picture, plotly_figure(picture)], allow_nan=False)


@given(st.integers(0, 3000), st.integers(2, 500))
def test_thinning_keeps_order_both_ends_and_the_limit(num_points: int, limit: int) -> None:
    points = list(range(num_points))

    kept = thin_out(points, limit)

    assert len(kept) == min(num_points, limit)
    assert kept == sorted(set(kept))
    assert kept[:1] + kept[-1:] == points[:1] + points[-1:]


def test_pictures_of_a_long_run_stay_small_and_escape_what_a_model_says() -> None:
    events = [(n, _step(n, 1 / n)) for n in range(1, 20_001)]
    events.append((20_001, _probe(1, "<script>alert(1)</script>")))
    picture = snapshot(events)

    html = run_html("pirate", picture)

    assert len(html) < 12_000
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert 'role="img"' in html
    assert len(json.dumps(plotly_figure(picture))) < 25_000
    assert run_line("pirate", picture) == "pirate: queued, loss 0.000"


def test_a_run_without_points_is_a_line() -> None:
    picture = snapshot([(1, {"kind": "progress", "message": "Loading weights", "fraction": None})])

    assert run_line("pirate", picture) == "pirate: queued, Loading weights"
    assert "<svg" not in run_html("pirate", picture)


def test_what_a_run_needs_is_told_before_its_first_step_and_where_time_went_after_it() -> None:
    planned: Entry = {"kind": "planned", "total_steps": 9, "memory_bytes": 1_234_000_000}
    assert run_line("pirate", snapshot([(1, planned)])).endswith("needs about 1.2 GB")
    notice: Entry = {"kind": "notice", "step": 1, "message": "Step 1 was computed in 4 parts."}
    picture = snapshot([(1, planned), (2, _step(1, 1.0)), (3, notice)])
    assert run_line("pirate", picture) == (
        "pirate: queued, step 1 of 9, loss 1.000, Step 1 was computed in 4 parts."
    )
    assert phase_line(picture) == (
        "forward 0.20 s · backward 0.25 s · optimizer 0.02 s · waited 0.01 s"
    )


def test_steps_of_an_earlier_release_have_no_phases() -> None:
    step = {
        "kind": "step",
        "step": 1,
        "loss": 1.0,
        "learning_rate": 0.1,
        "num_tokens": 1,
        "seconds": 1,
    }
    assert phase_line(snapshot([(1, step)])) == ""


def _steered(step: int, changes: dict[str, object], total_steps: int, refusal: str = "") -> Entry:
    return {
        "kind": "steered",
        "step": step,
        "wish": 1,
        "changes": changes,
        "total_steps": total_steps,
        "refusal": refusal,
    }


def test_what_was_steered_is_one_mark_a_step_and_a_refusal_changes_nothing() -> None:
    entries = [
        _steered(12, {"learning_rate": 0.0003}, 40),
        _steered(12, {"steps": 80}, 80),
        _steered(20, {"steps": 2}, 2, "Step 19 was taken."),
        {"kind": "command", "step": 21, "command": "pause"},
    ]

    picture = snapshot(enumerate(entries, start=1))

    assert picture["total_steps"] == 80
    assert picture["marks"] == [
        {
            "step": 12,
            "kind": "steered",
            "label": "lr 3e-4, steps 80",
            "text": "learning_rate = 3e-4; steps = 80",
        },
        {
            "step": 20,
            "kind": "steered",
            "label": "refused",
            "text": "steps = 2: Step 19 was taken.",
        },
        {"step": 21, "kind": "command", "label": "pause", "text": "pause"},
    ]
    assert "lr 3e-4, steps 80" in run_html("pirate", {**picture, "points": [(1, 2.0), (30, 1.0)]})
    assert json.dumps(plotly_figure(picture)).count("lr 3e-4, steps 80") == 1


def test_a_mark_tells_how_long_a_run_was_interrupted_and_why() -> None:
    def state(name: str, second: int, reason: str = "") -> Entry:
        at = f"2026-01-01T00:00:{second:02}.000+00:00"
        return {"kind": "state", "state": name, "step": 7, "reason": reason, "at": at}

    entries = [state("interrupted", 1, "The trainer ended."), state("queued", 3)]
    assert snapshot(enumerate(entries, start=1))["marks"] == []
    assert snapshot(enumerate([*entries, state("running", 5)], start=1))["marks"] == [
        {
            "step": 7,
            "kind": "interrupted",
            "label": "interrupted 4 s",
            "text": "interrupted 4 s: The trainer ended.",
        }
    ]


def test_the_answers_along_a_run_are_kept_spread_evenly_and_bounded() -> None:
    few = snapshot([(n, _probe(10 * n, f"answer {n}")) for n in range(1, 4)])
    assert few["probes"][0]["history"] == [(10, "answer 1"), (20, "answer 2"), (30, "answer 3")]

    many = [(n, {**_probe(n // 20, "word " * 100), "index": n % 20}) for n in range(1, 8001)]
    marks = [(9000 + n, _steered(n, {"schedule": "x" * 999}, 9)) for n in range(900)]
    picture = snapshot([*many, *marks])

    assert len(json.dumps(picture)) < 150_000
    assert len(picture["marks"]) == 60
    long = snapshot([(n, _probe(n, "x")) for n in range(1, 2001)])["probes"][0]["history"]
    gaps = [after[0] - before[0] for before, after in pairwise(long)]
    assert (len(long), long[0][0], long[-1][0]) == (40, 1, 2000)
    assert max(gaps) < 150
