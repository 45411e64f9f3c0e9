"""Sweeps as they are typed, with the real service and nothing that computes."""

from __future__ import annotations

import pytest

from tests.client.live_service import LiveService
from tests.notebook.conftest import Kernel, PlainShell
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.sweep import rows_of
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook.panels import PLOTLY_MIME
from twinkle_jupyter.notebook.sweep_panels import SWEEP_MIME, sweep_bundle
from twinkle_jupyter.runs.events import EvalDone, Planned, StepDone

ROWS = [{"prompt": "Hi", "completion": "Arr"}, {"prompt": "Who?", "completion": "Me."}]
SWEEP = "%twinkle sweep rows --learning-rate 1e-4,3e-4 --rank 4 --rank 16"


def _tell(live: LiveService, run_id: str, *losses: float) -> None:
    live.append(run_id, Planned(total_steps=40, num_train_rows=1, num_eval_rows=1))
    for step, loss in enumerate(losses, start=1):
        done = StepDone(
            step=step, loss=loss, learning_rate=1e-3, grad_norm=1.0, num_tokens=9,
            num_supervised=3, seconds=0.1,
        )  # fmt: skip
        live.append(run_id, done)
    live.append(run_id, EvalDone(step=len(losses), loss=losses[-1]))


def test_a_sweep_is_started_ranked_pruned_extended_and_stopped(
    shell: PlainShell, live: LiveService, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.push(rows=ROWS)
    assert shell.run(f"s = {SWEEP} --halving 2 --name kit --probe 'Hi, you'") is None
    assert "kit: queued, 4 runs, 4 going on" in capsys.readouterr().out
    with Client(live.connection) as client:
        body = client.sweep_body("kit")
        assert body.config["probe"] == ["Hi, you"]
        assert body.grid == {"learning_rate": [1e-4, 3e-4], "rank": [4, 16]}
        _tell(live, body.members[2].run_id, 3.0, 0.25)
        assert shell.run("%twinkle show kit") is None
        ranked = capsys.readouterr().out.splitlines()
        heading = next(
            n for n, line in enumerate(ranked) if line.split()[:2] == ["rank", "adapter"]
        )
        assert ranked[heading + 1].split() == [
            *("1", "kit-lr3e-4-r4", "3e-4", "4", "2", "of", "40", "1.6250", "0.2500", "queued"),
        ]

        assert shell.run("%twinkle prune kit lr1e-4-r4 kit-lr1e-4-r16") is None
        wanted = {run.adapter: run.wanted for run in client.runs()}
        stopped = {name for name, one in wanted.items() if one == "stopped"}
        assert stopped == {"kit-lr1e-4-r16", "kit-lr1e-4-r4"}
        assert shell.run("%twinkle extend kit --learning-rate 3e-3") is None
        assert len(client.sweep_body("kit").members) == 6
        assert shell.run("%twinkle sweeps") is None
        assert "6 of 6" in capsys.readouterr().out
        assert shell.run("%twinkle stop-sweep kit") is None
        assert {run.wanted for run in client.runs()} == {"stopped"}
    assert len(shell.ip.user_ns["s"].table) == 6


def test_all_mistakes_are_said_with_their_flags_before_anything_starts(
    shell: PlainShell, live: LiveService
) -> None:
    shell.push(rows=ROWS)
    error = shell.run("%twinkle sweep rows --rank 0,8 --learning-rate fast,1e-3 --name 'a b'")
    assert isinstance(error, InvalidConfigError)
    for word in ("`--rank 0`", "`--learning-rate fast`", "`--name 'a b'`"):
        assert word in error.message
    assert isinstance(shell.run("%twinkle sweep rows --rank 4"), InvalidConfigError)
    assert isinstance(shell.run("%twinkle sweep rows --rank 4,8 --halving 1"), InvalidConfigError)
    with Client(live.connection) as client:
        assert client.runs() == []


def test_the_panel_has_all_curves_in_the_colours_of_the_table(live: LiveService) -> None:
    with Client(live.connection) as client:
        grid = {"learning_rate": [1e-4, 3e-4, 1e-3]}
        sweep = client.start_sweep("kit", grid, [_RECORD, _RECORD], base_model="tiny", steps=40)
        for one, last in zip(sweep.body().members, (3.0, 1.0, 2.0), strict=True):
            _tell(live, one.run_id, 4.0, last)
        bundle = sweep_bundle(sweep.body(points=True))
        assert rows_of(sweep.body())[0]["adapter"] == "kit-lr3e-4"
        assert len(sweep.table) == 3
    html = str(bundle["text/html"])
    assert html.count("<polyline") == 3
    for colour in ("#4477aa", "#ee6677", "#228833"):
        assert html.count(colour) == 3, "a curve, a dot, a row"
    assert html.index("1e-3", html.index("<table")) > html.index("3e-4", html.index("<table"))
    assert str(bundle["text/plain"]).startswith(
        "kit: queued, 3 runs, 3 going on, ahead is kit-lr3e-4\n"
    )


_RECORD = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Arr"}]}


def test_a_sweep_in_a_kernel_is_one_output(kernel: Kernel, live: LiveService) -> None:
    outcome = kernel.run(f"rows = {ROWS!r}\n{SWEEP}")
    assert outcome.reply["status"] == "ok", outcome.messages
    [bundle] = [one for one in outcome.bundles if "kit" in one["text/plain"] or "sweep" in str(one)]
    assert {"text/html", "text/plain", PLOTLY_MIME, SWEEP_MIME} <= set(bundle)
    assert "sweep_" in str(bundle[SWEEP_MIME])
