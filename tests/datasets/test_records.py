"""Every kind of source becomes conversations, and every fault is named by its row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from twinkle_jupyter.datasets.records import (
    LoadedRecords,
    check_records,
    fingerprint,
    load_records,
    shipped_names,
)
from twinkle_jupyter.errors import InvalidDataError

RECORD = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ahoy"}]}
LINE = json.dumps(RECORD)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(source: object) -> str:
    with pytest.raises(InvalidDataError, match=r".") as caught:
        load_records(source)
    assert caught.value.hint.endswith("Nothing was started.")
    return caught.value.message


@pytest.mark.parametrize(
    ("row", "layout"),
    [
        (RECORD, "chat"),
        ({"prompt": "Hi", "completion": "Ahoy"}, "prompt-completion"),
        (
            {"prompt": RECORD["messages"][:1], "completion": RECORD["messages"][1:]},
            "prompt-completion",
        ),
        ({"instruction": "Hi", "input": "", "output": "Ahoy"}, "alpaca"),
        (
            {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ahoy"}]},
            "sharegpt",
        ),
    ],
)
def test_each_layout_becomes_the_same_conversation(row: dict[str, object], layout: str) -> None:
    assert load_records([row]) == LoadedRecords([RECORD], layout, "data")  # type: ignore[arg-type]


def test_an_alpaca_input_follows_its_instruction() -> None:
    loaded = load_records(
        [{"instruction": "Add", "input": "1 2", "output": "3", "system": "Maths"}]
    )
    assert loaded.records[0]["messages"] == [
        {"role": "system", "content": "Maths"},
        {"role": "user", "content": "Add\n\n1 2"},
        {"role": "assistant", "content": "3"},
    ]


def test_reasoning_calls_and_weights_of_a_message_are_kept() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": 2}'}}
    row = {
        "messages": [
            {"role": "user", "content": "Hi", "name": None},
            {"role": "assistant", "content": None, "tool_calls": [call], "weight": 0},
            {"role": "tool", "content": "2", "tool_call_id": "1", "name": "look"},
            {"role": "assistant", "content": "Two", "thinking": "Hm", "unheard": "of"},
        ],
        "tools": [{"type": "function", "function": {"name": "look"}}],
    }
    (record,) = load_records([row]).records
    assert record["messages"] == [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{**call, "function": {"name": "look", "arguments": {"at": 2}}}],
            "weight": 0,
        },
        {"role": "tool", "content": "2", "name": "look", "tool_call_id": "1"},
        {"role": "assistant", "content": "Two", "reasoning_content": "Hm"},
    ]
    assert record["tools"] == row["tools"]
    assert check_records([record]) == [record]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"weight": -1}, "`weight` is -1, not a number from 0 on"),
        ({"weight": True}, "`weight` is True, not a number from 0 on"),
        ({"reasoning_content": 5}, "`reasoning_content` is not text"),
        ({"tool_calls": "look"}, "`tool_calls` is not a list"),
        ({"tool_calls": [{"name": "look"}]}, "call 1 has no `function` with a `name`"),
        (
            {"tool_calls": [{"function": {"name": "look", "arguments": "{"}}]},
            "the arguments of call 1 are not an object, nor JSON of one",
        ),
    ],
)
def test_a_fault_of_a_field_is_named_with_its_message(
    fields: dict[str, object], fault: str
) -> None:
    row = {"messages": [RECORD["messages"][0], {**RECORD["messages"][1], **fields}]}
    assert refusal([row]) == f"`data` row 1, message 2: {fault}."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", f"{LINE}\n\n{LINE}\n"),
        ("windows.jsonl", f"\ufeff{LINE}\r\n{LINE}\r\n"),
        ("array.json", json.dumps([RECORD, RECORD], indent=2)),
        ("lines.json", f"{LINE}\n{LINE}"),
        ("a.csv", "prompt,completion\nHi,Ahoy\nHi,Ahoy\n"),
        ("a.tsv", "prompt\tcompletion\nHi\tAhoy\nHi\tAhoy\n"),
    ],
)
def test_each_kind_of_file_is_read(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    loaded = load_records(name)
    assert (loaded.records, loaded.name) == ([RECORD, RECORD], name)


def test_a_data_frame_with_missing_values_is_read() -> None:
    frame = pd.DataFrame([{"instruction": "Hi", "input": float("nan"), "output": "Ahoy"}])
    assert load_records(frame).records == [RECORD]


def test_a_generator_of_rows_is_read() -> None:
    assert load_records(row for row in [RECORD]).records == [RECORD]


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_data_passes_the_check(name: str) -> None:
    assert len(load_records(name).records) >= 40


def test_a_file_wins_over_a_shipped_name(folder: Path) -> None:
    (folder / "self_cognition").write_text(LINE)
    assert load_records("self_cognition").records == [RECORD]


def test_a_missing_file_is_named_with_its_nearest_neighbour(folder: Path) -> None:
    (folder / "pirate.jsonl").write_text(LINE)
    with pytest.raises(InvalidDataError, match=r"^`pirat.jsonl` is not there\.") as caught:
        load_records("pirat.jsonl")
    assert caught.value.hint == "Did you mean `pirate.jsonl`? Nothing was started."


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([""], "`data.jsonl` is empty."),
        (
            [*[LINE] * 6, '{"messages": [}'],
            "`data.jsonl` line 7 is not JSON: expecting value at column 15; it begins with"
            ' `{"messages": [}`.',
        ),
        (
            [LINE, '{"messages": [{"role": "bot", "content": "x"}]}'],
            "`data.jsonl` line 2, message 1: role 'bot' is not one of system, user, assistant,"
            " tool.",
        ),
        (
            ['{"messages": [{"role": "user", "content": "x"}]}'],
            "`data.jsonl` line 1 has no assistant turn, so there is nothing to learn.",
        ),
        (
            ['{"prompt": "x", "completion": " "}'],
            "`data.jsonl` line 1, message 2: the assistant's answer is empty.",
        ),
        (
            ['{"prompt": 5, "completion": "y"}'],
            "`data.jsonl` line 1, message 1: the content is 5, not text.",
        ),
        (["[1]"], "`data.jsonl` row 1 is 1, not an object."),
        ([LINE, "3"], "`data.jsonl` line 2 is 3, not an object."),
        (
            ['{"text": "x"}'],
            "`data.jsonl` line 1 has the fields `text`, and needs `messages`, or `conversations`,"
            " or `prompt` and `completion`, or `instruction` and `output`.",
        ),
        (
            ['{"messages": []}', '{"messages": {}}'],
            "`data.jsonl` has 2 faults: line 1 has no messages; line 2: `messages` is an object,"
            " not a list.",
        ),
        (
            ['{"prompt": "\\ud800", "completion": "y"}'],
            "`data.jsonl` line 1, message 1: the content has a lone surrogate, which is half of a"
            " character.",
        ),
    ],
)
def test_a_fault_is_one_sentence_with_its_place(
    folder: Path, lines: list[str], message: str
) -> None:
    (folder / "data.jsonl").write_text("\n".join(lines))
    assert refusal("data.jsonl") == message


def test_of_many_faults_five_are_shown_and_all_are_counted(folder: Path) -> None:
    (folder / "data.jsonl").write_text("\n".join([LINE, "x", *["{}"] * 7]))
    message = refusal("data.jsonl")
    assert message.startswith("`data.jsonl` has 8 faults: line 2 is not JSON: ")
    assert message.endswith("; and 3 more.")
    assert message.count(";") == 6


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.xlsx",
            b"PK",
            "`a.xlsx` ends in `.xlsx`, which is not one of .jsonl, .json, .csv, .tsv and .parquet.",
        ),
        ("a.jsonl", b'{"a": "\xff"}', "`a.jsonl` is not UTF-8 text: byte 8 cannot be read."),
        ("a.csv", b"prompt,completion\n", "`a.csv` has a header and no rows."),
        ("a.csv", b"prompt,completion\nx,y,z\n", "`a.csv` row 1 has more values than the header."),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    folder: Path, name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)
    assert refusal(name) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (5, "`data` is 5, not a file, a list of rows or a DataFrame."),
        ([], "`data` is empty."),
        (RECORD, "`data` is one object, not a list of rows."),
        (".", "`.` is a folder, not a file."),
    ],
)
def test_what_is_no_data_is_refused(source: object, message: str) -> None:
    assert refusal(source) == message


def test_the_service_checks_again_what_the_kernel_sent() -> None:
    assert check_records([RECORD | {"extra": 1}], "rows") == [RECORD]
    with pytest.raises(InvalidDataError, match=r"^`rows` row 2 has no `messages`, only `text`\."):
        check_records([RECORD, {"text": "x"}], "rows")
    with pytest.raises(InvalidDataError, match=r"^`rows` is null, not a list of records\."):
        check_records(None, "rows")


def test_the_fingerprint_follows_the_content_alone() -> None:
    turned = {"messages": [dict(reversed(message.items())) for message in RECORD["messages"]]}
    assert fingerprint([RECORD]) == fingerprint([turned]) != fingerprint([RECORD, RECORD])
    assert len(fingerprint([])) == 64


def test_loading_data_needs_the_standard_library_only() -> None:
    code = (
        "import sys; from twinkle_jupyter.datasets.records import load_records;"
        "load_records('self_cognition');"
        "print(sorted({'torch', 'pandas', 'numpy', 'pydantic', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
