"""What the tab key offers after `%twinkle`, and how it is typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter

from tests.notebook.conftest import PlainShell
from twinkle_jupyter.notebook.completion import Names, complete
from twinkle_jupyter.notebook.service_link import ServiceLink
from twinkle_jupyter.notebook.session import Session
from twinkle_jupyter.notebook.terminal_face import TerminalFace
from twinkle_jupyter.notebook.typed_word import read_typed


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data, and a home beside it."""
    data = tmp_path / "My Data"
    (data / "sub").mkdir(parents=True)
    (tmp_path / "home" / "deep").mkdir(parents=True)
    for path in (data / "rows a.jsonl", data / "notes.txt", tmp_path / "home" / "h.csv"):
        path.touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _complete(rest: str) -> tuple[str, list[str]]:
    session = Session(TerminalFace(), ServiceLink(), {"mine": [1], "number": 1})
    return complete(rest, session, lambda: Names(("pirate",), ("run_1",), ("kit",)))


@pytest.mark.parametrize(
    ("rest", "fragment", "texts"),
    [
        ("trai", "trai", ["train"]),
        ("train m", "m", ["mine"]),
        ("train mine --rank 4 --adap", "--adap", ["--adapter"]),
        ("chat p", "p", ["pirate"]),
        ("chat pirate --compare ", "", ["base", "pirate"]),
        ("train My", "My", [r"My\ Data/"]),
        ("train My\\", "My\\", [r"My\ Data/"]),
        (r"train My\ ", r"My\ ", [r"My\ Data/"]),
        (r"train My\ Data/", r"My\ Data/", [r"My\ Data/rows\ a.jsonl", r"My\ Data/sub/"]),
        (r"train My\ Data/rows\ ", r"My\ Data/rows\ ", [r"My\ Data/rows\ a.jsonl"]),
        ("train 'My D", "'My D", ["'My Data/"]),
        ('train "My Data/r', '"My Data/r', ['"My Data/rows a.jsonl']),
        (r"train My\ Data/rows\ a.jsonl --adap", "--adap", ["--adapter"]),
        ("train ~", "~", ["~/"]),
        ("train ~/", "~/", ["~/deep/", "~/h.csv"]),
        ("train '~/h", "'~/h", ["'~/h.csv"]),
        ("train ~nobody-here/", "~nobody-here/", []),
    ],
)
def test_what_a_word_can_become(rest: str, fragment: str, texts: list[str]) -> None:
    assert _complete(rest) == (fragment, texts)


def test_a_word_with_a_space_is_replaced_as_a_whole(shell: PlainShell) -> None:
    line = r"%twinkle train My\ Data/ro"

    assert shell.ip.Completer is not None
    with provisionalcompleter():
        (found,) = shell.ip.Completer.completions(line, len(line))

    assert line[: found.start] + found.text == r"%twinkle train My\ Data/rows\ a.jsonl"


@pytest.mark.parametrize(
    "line", ["", "  ", "a", "a b\\", r"a\\ 'b c", r'"a \" b', r"a 'b'\'", "'a' b"]
)
@pytest.mark.parametrize("text", ['it\'s "x" \\ y', "plain/"])
def test_what_is_typed_is_read_as_the_same_word(line: str, text: str) -> None:
    words, word = read_typed(line)

    typed = line[: len(line) - len(word.raw)] + word.write(text)

    closed = next(
        typed + mark for mark in ("", "'", '"') if read_typed(typed + mark)[1].quote == ""
    )
    assert shlex.split(closed) == [*words, text]
