"""What a terminal shows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from twinkle_jupyter.cli.main import main
from twinkle_jupyter.cli.run_picture import draw, show_live
from twinkle_jupyter.cli.terminal import TerminalFace
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.event_stream import LinkState, RunEventRecord
from twinkle_jupyter.notebook.session import Table
from twinkle_jupyter.notebook.snapshot import RunPicture
from twinkle_jupyter.store.interface import Row


def _console() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=60), out


def test_hints_name_the_command_that_a_terminal_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 2
    assert "`twinkle train self_cognition`" in capsys.readouterr().err
    console, out = _console()
    TerminalFace(console).note("Below `%%twinkle chat a`, or `%twinkle show a`.")
    assert out.getvalue() == "Below `twinkle chat a`, or `twinkle show a`.\n"


def test_a_long_path_in_a_table_is_never_cut() -> None:
    console, out = _console()
    TerminalFace(console).table(Table("", ("name", "folder"), [("a", "/x" * 60)]))
    assert out.getvalue().count("x") == 60


def test_what_models_and_people_write_is_shown_as_it_is() -> None:
    written = "x[i] = y[j]; [b]bold[/b] [/INST] :fire:"
    console, out = _console()
    console.width = 120
    face = TerminalFace(console)
    face.note(written)
    face.text(written)
    face.table(Table(written, (written,), [(written,)], written))
    for titles in (["a"], ["[/a]", "[b]b[/b]"]):
        chat = face.chat(titles)
        chat.add(0, written)
        chat.draw()
        chat.finish([written] * len(titles))

    shown = out.getvalue()
    assert shown.count(written) == 1 + 1 + 4 + 2 + 3
    assert "[/a]" in shown
    assert "[b]b[/b]" in shown


def test_what_is_waited_for_is_shown_as_it_is() -> None:
    out = io.StringIO()
    console = Console(file=out, width=60, force_terminal=True)
    with TerminalFace(console).progress() as say:
        say("Reading [b]rows[/b] [/x]")

    assert "Reading [b]rows[/b] [/x]" in out.getvalue()


def test_a_run_s_bar_and_numbers_have_a_line_each() -> None:
    picture = RunPicture(state="running", step=2, total_steps=4, points=[(1, 3.0), (2, 2.0)])
    console, out = _console()
    console.print(draw(picture))
    assert [line.split() for line in out.getvalue().splitlines()][2:] == [
        ["running", "step", "2", "of", "4", "loss", "2.000"]
    ]


def test_a_service_that_is_away_is_told_below_the_run() -> None:
    console, out = _console()

    class Away:
        def events(
            self, run: str, *, on_link: Callable[[LinkState, str], None]
        ) -> Iterator[RunEventRecord]:
            started = {"kind": "state", "at": "", "state": "running", "step": 0, "reason": run}
            yield RunEventRecord(1, cast("Row", started))
            on_link("waiting", "The training service is not running.")

    show_live(cast("Client", Away()), "run_a", console)

    assert (
        out.getvalue().splitlines()[-1] == "The training service is not running. Waiting for it …"
    )


def test_data_is_read_from_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"prompt": "a", "completion": "b"}\n{oops\n'))
    assert main(["train", "-"]) == 2
    assert "`the input` line 2 is not JSON" in capsys.readouterr().err


def test_the_log_shows_the_end_of_each_process_s_file(
    capsys: pytest.CaptureFixture[str], private_home: Path
) -> None:
    assert main(["log"]) == 1
    assert "There is no log yet" in capsys.readouterr().err
    home = private_home / "twinkle"
    home.mkdir()
    (home / "service.log").write_text("a\nb\nc\n", encoding="utf-8")
    (home / "runs.log").write_text("error_x\n", encoding="utf-8")
    (home / "trainer.log").touch()

    assert main(["log", "--lines", "2"]) == 0

    assert capsys.readouterr().out == "== runs.log ==\nerror_x\n== service.log ==\nb\nc\n"
