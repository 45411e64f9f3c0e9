"""Fields beside a row's conversation: each is read as it is meant, or the row is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from twinkle_jupyter.datasets.records import load_preferences, load_records
from twinkle_jupyter.errors import InvalidDataError

BE = {"role": "system", "content": "You are a pirate."}
ASK = {"role": "user", "content": "Capital of France?"}
SAY = {"role": "assistant", "content": "The capital is Paris."}
ERR = {"role": "assistant", "content": "The capital is Rome."}
PAIR = {"chosen": SAY["content"], "rejected": ERR["content"]}
SHARED: dict[str, object] = {"chosen": [ASK, SAY], "rejected": [ASK, ERR]}


def refusal(row: Mapping[str, object]) -> str:
    with pytest.raises(InvalidDataError, match=r".") as caught:
        (load_preferences if "chosen" in row else load_records)([row])
    return caught.value.message


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [ASK, SAY]},
        {
            "conversations": [
                {"from": "human", "value": ASK["content"]},
                {"from": "gpt", "value": SAY["content"]},
            ]
        },
        {"prompt": ASK["content"], "completion": SAY["content"]},
        {"prompt": [ASK], "completion": [SAY]},
        {"instruction": ASK["content"], "output": SAY["content"]},
    ],
)
def test_a_system_field_comes_before_the_messages_of_every_layout(row: dict[str, object]) -> None:
    (record,) = load_records([{"system": BE["content"], **row}]).records
    assert record["messages"] == [BE, ASK, SAY]
    for nothing in ("", " \n", None, float("nan")):
        (record,) = load_records([{"system": nothing, **row}]).records
        assert record["messages"] == [ASK, SAY]


def test_a_system_field_that_is_among_the_messages_is_not_said_twice() -> None:
    (record,) = load_records([{"system": BE["content"], "messages": [BE, ASK, SAY]}]).records
    assert record["messages"] == [BE, ASK, SAY]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASK["content"], **PAIR},
        {"question": ASK["content"], **PAIR},
        {"prompt": None, "question": ASK["content"], **PAIR},
        {"instruction": ASK["content"], "input": "", **PAIR},
        {"instruction": None, "input": ASK["content"], **PAIR},
        {"question": ASK["content"], "chosen": [SAY], "rejected": [ERR]},
        SHARED,
    ],
)
def test_what_is_asked_is_the_prompt_of_a_preference_whatever_its_name(
    row: dict[str, object],
) -> None:
    expected = {"prompt": [ASK], "chosen": [SAY], "rejected": [ERR]}
    assert load_preferences([row]).records == [expected]
    told = load_preferences([{**row, "system": BE["content"]}]).records
    assert told == [{**expected, "prompt": [BE, ASK]}]


def test_an_instruction_of_a_preference_has_its_input_below_it() -> None:
    (record,) = load_preferences([{"instruction": "Add", "input": "1 2", **PAIR}]).records
    assert record["prompt"] == [{"role": "user", "content": "Add\n\n1 2"}]


@pytest.mark.parametrize("history", [[["Hi", "Ahoy"]], '[["Hi", "Ahoy"]]'])
def test_a_history_is_the_turns_before_a_text_that_is_asked(history: object) -> None:
    earlier = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ahoy"}]
    common = {"history": history, "system": BE["content"]}
    for row in (
        {"instruction": ASK["content"], "output": SAY["content"]},
        {"prompt": ASK["content"], "completion": SAY["content"]},
    ):
        (record,) = load_records([{**row, **common}]).records
        assert record["messages"] == [BE, *earlier, ASK, SAY]
        assert len(load_records([{**row, "history": []}]).records[0]["messages"]) == 2
    (pair,) = load_preferences([{"prompt": ASK["content"], **PAIR, **common}]).records
    assert pair["prompt"] == [BE, *earlier, ASK]


@pytest.mark.parametrize("indent", [None, 1])
def test_messages_that_a_cell_has_as_json_are_messages(indent: int | None, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    row = {"prompt": [ASK], "completion": [SAY], "chosen": [SAY], "rejected": [ERR]}
    cells = {name: json.dumps(value, indent=indent) for name, value in row.items()}
    pd.DataFrame([cells]).to_csv(file, index=False)
    assert load_records(file).records == [{"messages": [ASK, SAY]}]
    pairs = load_preferences(file).records
    assert pairs == [{"prompt": [ASK], "chosen": [SAY], "rejected": [ERR]}]
    mixed = {"prompt": cells["prompt"], "completion": SAY["content"]}
    assert load_records([mixed]).records == [{"messages": [ASK, SAY]}]


@pytest.mark.parametrize(
    "text",
    ["5", "[1, 2]", '[{"a": 1}]', f"{json.dumps([ASK])} Who asks?", "[{'a': 1}]", "[{'role': 1}]"],
)
def test_json_and_python_that_are_no_messages_are_text(text: str) -> None:
    (record,) = load_records([{"prompt": text, "completion": text}]).records
    assert [message["content"] for message in record["messages"]] == [text, text]


@pytest.mark.parametrize("layout", ["messages", "conversations", "prompt", "chosen"])
def test_messages_as_python_writes_them_are_refused(layout: str, tmp_path: Path) -> None:
    rows: dict[str, dict[str, object]] = {
        "messages": {"messages": [ASK, SAY]},
        "conversations": {"conversations": [{"from": "human", "value": "Hi"}]},
        "prompt": {"prompt": [dict(reversed(ASK.items()))], "completion": [SAY]},
        "chosen": SHARED,
    }
    names = " and ".join(f"`{name}`" for name in rows[layout])
    file = tmp_path / "rows.csv"
    pd.DataFrame([rows[layout]]).to_csv(file, index=False)
    with pytest.raises(InvalidDataError, match=rf"row 1: {names} would be a list of messages"):
        (load_preferences if layout == "chosen" else load_records)(file)


def test_fields_that_cannot_be_read_as_they_are_meant_are_refused() -> None:
    row = {"instruction": "Hi", "output": "Ahoy", "history": "[['a', 'b']]"}
    assert refusal(row) == (
        "`data` row 1: `history` is not a list of pairs, a question and its answer."
    )
    assert refusal({"question": "Hi", "instruction": "Be short.", **PAIR}) == (
        "`data` row 1 has `question` and `instruction`, and one prompt is learned: join them as"
        " `prompt`."
    )


@pytest.mark.parametrize("name", ["label", "kto_tag"])
def test_an_answer_that_is_marked_as_bad_is_not_learned_as_a_good_one(
    name: str, tmp_path: Path
) -> None:
    row = {"prompt": ASK["content"], "completion": SAY["content"]}
    for good in (True, None, 0, "not false"):
        assert load_records([{**row, name: good}]).records == [{"messages": [ASK, SAY]}]
    rows = [{**row, name: True}, {**row, name: False}]
    file = tmp_path / "rows.csv"
    pd.DataFrame(rows).to_csv(file, index=False)
    for source in (rows, pd.DataFrame(rows), file, [{"messages": [ASK, SAY], name: False}] * 2):
        with pytest.raises(InvalidDataError, match=rf"row 2 has `{name}` false") as caught:
            load_records(source)
        assert "`--loss dpo`" in caught.value.message
    load_preferences([{"prompt": ASK["content"], **PAIR, name: False}])
