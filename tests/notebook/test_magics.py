"""The magics in plain IPython, where output is lines of text."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.client.live_service import LiveService
from tests.notebook.conftest import PlainShell
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.errors import InvalidConfigError

ROW = {"prompt": "Hi", "completion": "Arr"}
JSONL = '{"prompt": "Hi", "completion": "Arr"}\n{"prompt": "Who?", "completion": "Me."}\n'


def test_loading_is_quick_and_loads_nothing_heavy() -> None:
    code = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.perf_counter()
import twinkle_jupyter
assert time.perf_counter() - began < 0.25
shell.run_line_magic("load_ext", "twinkle_jupyter")
assert time.perf_counter() - began < 0.5
heavy = {"torch", "ray", "transformers", "peft", "httpx", "anywidget", "pandas", "jupyter_server"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_service_the_card_says_how_to_start_one(
    shell: PlainShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run("%twinkle")

    assert capsys.readouterr().out == (
        "Twinkle\n  service  not running\n`%twinkle start` starts it.\n"
    )


def test_an_error_is_one_line_and_can_be_caught(
    shell: PlainShell, capsys: pytest.CaptureFixture[str]
) -> None:
    error = shell.run("%twinkle trian rows")

    assert capsys.readouterr().out == (
        "Unknown verb 'trian': did you mean 'train'? `%twinkle help` lists the verbs. "
        "[invalid_config]\n"
    )
    assert isinstance(error, InvalidConfigError)
    with pytest.raises(InvalidConfigError, match="Unknown verb"):
        shell.ip.run_line_magic("twinkle", "trian rows")


def test_somebody_elses_error_handler_stays(
    shell: PlainShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.ip.set_custom_exc((ZeroDivisionError,), None)  # type: ignore[no-untyped-call]
    shell.ip.run_line_magic("load_ext", "twinkle_jupyter")

    shell.run("%twinkle trian rows")

    assert "Unknown verb 'trian'" in capsys.readouterr().out
    assert shell.ip.custom_exceptions == (ZeroDivisionError,)


def test_loading_twice_completes_once(shell: PlainShell) -> None:
    shell.ip.run_line_magic("load_ext", "twinkle_jupyter")

    assert shell.ip.Completer is not None
    identifiers = [
        getattr(matcher, "matcher_identifier", "") for matcher in shell.ip.Completer.custom_matchers
    ]
    assert identifiers.count("twinkle") == 1


class TestData:
    def test_a_list_a_frame_a_file_a_shipped_name_and_the_body_are_data(
        self, shell: PlainShell, live: LiveService
    ) -> None:
        import pandas as pd

        shell.push(rows=[ROW, ROW], frame=pd.DataFrame([ROW] * 3))

        shell.run("%twinkle train rows --adapter a")
        shell.run("%twinkle train frame --adapter b")
        shell.run("%twinkle train self_cognition --adapter c")
        shell.run("%%twinkle train --adapter d\n" + JSONL)

        with Client(live.connection) as client:
            assert sorted(run.adapter for run in client.runs()) == ["a", "b", "c", "d"]

    @pytest.mark.usefixtures("live")
    def test_a_variable_wins_over_a_shipped_name(
        self, shell: PlainShell, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shell.push(self_cognition=[])

        shell.run("%twinkle train self_cognition")

        assert "`self_cognition` is empty." in capsys.readouterr().out

    def test_inside_of_a_function_its_own_variable_is_meant(
        self, shell: PlainShell, live: LiveService
    ) -> None:
        shell.push(rows=[ROW])

        shell.run(
            "def go(rows):\n"
            "    for name in ('own', 'other'):\n"
            "        %twinkle train rows --adapter {name}\n"
            f"go([{ROW!r}] * 2)\n"
            "%twinkle train rows --adapter outer"
        )

        with Client(live.connection) as client:
            counts = {run.adapter: client.records(run.run_id).count(b"\n") for run in client.runs()}
        assert counts == {"own": 2, "other": 2, "outer": 1}

    @pytest.mark.parametrize("words", ["train", "sweep --rank 2,4", "preview", "template"])
    def test_data_twice_are_refused(
        self, shell: PlainShell, capsys: pytest.CaptureFixture[str], words: str
    ) -> None:
        shell.push(rows=[ROW])

        shell.run(f"%%twinkle {words} rows\n{JSONL}")

        verb = words.split(maxsplit=1)[0]
        assert capsys.readouterr().out == (
            f"`{verb}` has data twice: `rows` and the cell. Leave out one of them. [invalid_data]\n"
        )
        assert shell.run("%%twinkle preview rows\n\n \n") is None

    def test_a_fault_in_the_body_is_named_by_its_line(
        self, shell: PlainShell, live: LiveService, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shell.run("%%twinkle train\n" + JSONL + "{oops\n")

        said = capsys.readouterr().out
        assert "the cell" in said
        assert "line 3" in said
        with Client(live.connection) as client:
            assert client.runs() == []


class TestSteering:
    def test_pause_resume_and_stop_name_the_only_run_by_themselves(
        self, shell: PlainShell, live: LiveService, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shell.push(rows=[ROW])
        shell.run("%twinkle train rows --adapter pirate")
        wanted = []
        with Client(live.connection) as client:
            for verb in ("pause", "resume", "stop-run"):
                capsys.readouterr()
                shell.run(f"%twinkle {verb}")
                assert capsys.readouterr().out.startswith("pirate ")
                wanted.append(client.runs()[0].wanted)

        assert wanted == ["paused", "running", "stopped"]

    @pytest.mark.usefixtures("live")
    def test_with_two_runs_a_name_is_asked_for(
        self, shell: PlainShell, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shell.push(rows=[ROW])
        shell.run("%twinkle train rows --adapter a")
        shell.run("%twinkle train rows --adapter b")
        capsys.readouterr()

        shell.run("%twinkle pause")

        assert capsys.readouterr().out == (
            "2 runs are active: b, a. Name one of them. [conflict]\n"
        )

    @pytest.mark.usefixtures("live")
    def test_an_unknown_name_is_a_sentence(
        self, shell: PlainShell, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shell.run("%twinkle show nobody")

        assert "'nobody'" in capsys.readouterr().out


def test_a_wrong_key_is_a_sentence(
    shell: PlainShell,
    live: LiveService,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWINKLE_URL", live.connection.url)
    monkeypatch.setenv("TWINKLE_API_KEY", "tml-wrong")

    shell.run("%twinkle runs")

    said = capsys.readouterr().out
    assert "does not take this API key." in said
    assert said.endswith("[not_allowed]\n")
