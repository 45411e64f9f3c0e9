"""`preview` as it is typed: from a variable, a file and a cell, with a base model and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebook.conftest import PlainShell
from twinkle_jupyter.datasets.preview import Preview
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.notebook.preview_page import bars, preview_html
from twinkle_jupyter.notebook.preview_verb import PreviewValue

ROWS = [
    {"prompt": "Who <b>?", "completion": "I am Twinkle."},
    {"prompt": "Who?", "completion": " "},
    {"prompt": "word " * 80, "completion": "Cut away."},
]


@pytest.fixture
def _tiny(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_BASE_MODEL", str(tiny_model))


@pytest.mark.usefixtures("_tiny")
def test_a_preview_says_what_the_rows_are_and_starts_nothing(
    shell: PlainShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.push(rows=ROWS)

    assert shell.run("page = %twinkle preview rows --max-length 64") is None

    said = capsys.readouterr().out
    assert "a list, prompt-completion layout" in said
    assert "3, 1 of them unusable" in said
    assert "1 row at 64 tokens" in said
    assert "⟦I am Twinkle.<|im_end|>⟧" in said
    assert "refused: row 2, message 2: the assistant's answer is empty." in said
    assert "refused: row 3: no token is learned" in said
    page = shell.ip.user_ns["page"]
    assert isinstance(page, PreviewValue)
    html = page.bundle()["text/html"]
    assert "<mark>I am Twinkle.&lt;|im_end|&gt;</mark>" in html
    assert "Who &lt;b&gt;?" in html
    assert 'role="img"' in html
    assert sum(bar.count for bar in bars(page.facts)) == 2


@pytest.mark.usefixtures("_tiny")
def test_a_cell_is_read_and_mistakes_are_those_of_train(
    shell: PlainShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run('%%twinkle preview\n{"prompt": "Hi", "completion": "Arr"}\n{oops') is None
    said = capsys.readouterr().out
    assert "Preview of the cell" in said
    assert "refused: line 2 is not JSON" in said
    assert isinstance(shell.run("%twinkle preview nosuch.jsonl"), InvalidDataError)
    assert isinstance(shell.run("%twinkle preview pirate --max-length 1"), InvalidConfigError)
    assert isinstance(shell.run("%twinkle preview"), InvalidDataError)


def test_without_the_base_model_rows_are_counted_and_that_is_said(
    shell: PlainShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWINKLE_BASE_MODEL", "someone/somewhere")
    assert shell.run("%twinkle preview pirate") is None
    said = capsys.readouterr().out
    assert "JSON Lines, chat layout" in said
    assert "the base model is not on this machine" in said


def test_the_cut_is_a_line_in_the_histogram_only_where_rows_reach_it() -> None:
    facts = Preview("rows", "a list", max_length=64, num_rows=3, num_measured=3)
    facts.lengths.update({10: 1, 70: 1, 130: 1})
    assert "stroke-dasharray" in preview_html(facts)
    assert (facts.num_cut_rows, facts.num_cut_tokens) == (2, 72)
    facts.max_length = 200
    assert "stroke-dasharray" not in preview_html(facts)
