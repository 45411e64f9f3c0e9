"""Preference rows: every layout becomes the same row, and every fault is named by its row."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from twinkle_jupyter.datasets.preferences import check_preferences
from twinkle_jupyter.datasets.records import load_preferences, load_records
from twinkle_jupyter.datasets.run_rows import check_rows
from twinkle_jupyter.errors import InvalidDataError

ASK = {"role": "user", "content": "What is the capital of Peru?"}
GOOD = {"role": "assistant", "content": "Lima, of course."}
BAD = {"role": "assistant", "content": "Quito, I think."}
ROW = {"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD]}
CHAT = {"messages": [ASK, GOOD]}


@pytest.mark.parametrize(
    "row",
    [
        ROW,  # as the chat panel writes it
        {"chosen": [ASK, GOOD], "rejected": [ASK, BAD]},
        {"prompt": ASK["content"], "chosen": GOOD["content"], "rejected": BAD["content"]},
        {"prompt": ASK["content"], "chosen": [ASK, GOOD], "rejected": [ASK, BAD], **CHAT},
        {"prompt": ASK["content"], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": None, "chosen": json.dumps([ASK, GOOD]), "rejected": json.dumps([ASK, BAD])},
        {
            "chosen": f"\n\nHuman: {ASK['content']}\n\nAssistant: {GOOD['content']}",
            "rejected": f"\n\nHuman: {ASK['content']}\n\nAssistant: {BAD['content']}",
        },
        {
            "chosen": f"{ASK['content']} {GOOD['content']}",
            "rejected": f"{ASK['content']} {BAD['content']}",
        },
    ],
)
def test_each_layout_becomes_the_same_preference(row: dict[str, object], tmp_path: Path) -> None:
    loaded = load_preferences([row])
    assert (loaded.records, loaded.layout) == ([ROW], "preference")
    frame = pd.DataFrame([row, {"chosen": row["chosen"], "rejected": row["rejected"]} | row])
    assert load_preferences(frame).records == [ROW, ROW]
    file = tmp_path / "prefs.jsonl"
    file.write_text(json.dumps(row))
    assert load_preferences(file).records == [ROW]


def test_an_answer_that_both_share_belongs_to_the_prompt_only_where_something_follows() -> None:
    more = {"role": "user", "content": "Sure?"}
    row = {"chosen": [ASK, BAD, more, GOOD], "rejected": [ASK, BAD, more, BAD]}
    [read] = load_preferences([row]).records
    assert read == {"prompt": [ASK, BAD, more], "chosen": [GOOD], "rejected": [BAD]}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rejected": [GOOD]}, "row 2: the chosen and the rejected answer are the same"),
        ({"chosen": []}, "row 2: `chosen` has no answer of the assistant"),
        ({"rejected": ""}, "row 2, rejected, message 2: the assistant's answer is empty"),
        ({"rejected": None}, "row 2: `rejected` is null, neither text nor a list of messages"),
        ({"prompt": []}, "row 2 has an empty prompt"),
        ({"prompt": None}, "row 2 has no prompt"),
        ({"prompt": [{**ASK, "role": "boss"}]}, "row 2, chosen, message 1: role 'boss' is not one"),
    ],
)
def test_a_row_that_compares_nothing_is_refused_by_its_number(
    change: dict[str, object], fault: str
) -> None:
    with pytest.raises(InvalidDataError) as caught:
        load_preferences([ROW, {**ROW, **change}])
    assert fault in caught.value.message
    assert "2 faults" not in caught.value.message


def test_data_of_the_other_kind_are_refused_with_what_they_want() -> None:
    with pytest.raises(InvalidDataError, match=r"two answers a row .*\(row 1\)") as caught:
        load_records([ROW])
    assert "`--loss dpo`" in caught.value.hint
    with pytest.raises(InvalidDataError, match="conversations, and `--loss dpo` needs rows with"):
        load_preferences([CHAT])
    # The service trusts nobody.
    with pytest.raises(InvalidDataError, match="want the loss dpo"):
        check_rows([ROW], "cross_entropy")
    with pytest.raises(InvalidDataError, match="row 2 has `messages`, and needs `chosen`"):
        check_rows([ROW, CHAT], "dpo")
    assert check_preferences([{**ROW, "score": 3}]) == [ROW]
