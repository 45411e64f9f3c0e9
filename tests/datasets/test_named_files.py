"""What is named and cannot be opened, or holds too much, is told in one sentence."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinkle_jupyter.datasets.records import load_records
from twinkle_jupyter.errors import InvalidDataError

ROW = {"prompt": "Hi", "completion": "Ahoy"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def field_limit() -> Iterator[int]:
    """Give the limit that Python sets; whatever was set before comes back."""
    before = csv.field_size_limit(131_072)
    yield 131_072
    csv.field_size_limit(before)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("~nobody_here/rows.jsonl", "`~nobody_here/rows.jsonl` is not there: nobody knows that"),
        (
            f"{json.dumps(ROW)}\n" * 20,
            '`{"prompt": "Hi", "completion": "Ahoy"}` is text, not a file.',
        ),
        (json.dumps([ROW]), '`[{"prompt": "Hi", "completion": "Ahoy"}]` is text, not a file.'),
        ("x" * 300, f"`{'x' * 60}…` cannot be read: file name too long."),
        ("rows\0.jsonl", "`rows\0.jsonl` is not there."),
    ],
)
def test_a_name_that_leads_to_no_file_says_what_it_is(source: str, message: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        load_records(source)
    assert caught.value.message.startswith(message)
    assert caught.value.hint.endswith("Nothing was started.")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows.json", "`rows.json` is nested too deeply."),
        ("rows.jsonl", "`rows.jsonl` is nested too deeply."),
        ("lines.jsonl", "`lines.jsonl` line 1 is nested too deeply."),
    ],
)
def test_json_that_is_nested_too_deeply_is_refused(folder: Path, name: str, message: str) -> None:
    deep = "[" * 100_000
    (folder / name).write_text(f'{{"messages": {deep}' if name == "lines.jsonl" else deep)
    with pytest.raises(InvalidDataError) as caught:
        load_records(name)
    assert caught.value.message == message


@pytest.mark.parametrize("field", ["prompt", "messages"])
def test_a_cell_that_is_nested_too_deeply_is_no_crash(folder: Path, field: str) -> None:
    (folder / "rows.csv").write_text(f"{field},completion\n{'[' * 100_000},b\n")
    if field == "prompt":
        (record,) = load_records("rows.csv").records
        assert record["messages"][0]["content"] == "[" * 100_000
        return
    with pytest.raises(InvalidDataError, match="row 1: `messages` is '"):
        load_records("rows.csv")


def test_a_long_cell_of_csv_is_read(folder: Path, field_limit: int) -> None:
    answer = "word " * field_limit
    (folder / "rows.csv").write_text(f'prompt,completion\nHi,"{answer}"\n')
    (record,) = load_records("rows.csv").records
    assert record["messages"][1]["content"] == answer
