"""Faults that would train without complaint: each has its code, its row and its severity."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tool_templates import TAGGED
from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.example import Example
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import (
    FAULTS,
    Fault,
    Finding,
    raise_refusals,
    sum_up_warnings,
)
from twinkle_jupyter.templates.encode_pairs import PairEncoder
from twinkle_jupyter.templates.encode_rows import Record, RowEncoder, encode_rows
from twinkle_jupyter.templates.loss_mask import LossMask

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
SHORT = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I."}]}
LONG_ANSWER = {
    "messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "me " * 60}]
}
LONG_PROMPT = {
    "messages": [{"role": "user", "content": "x y " * 60}, {"role": "assistant", "content": "I."}]
}
ROLE = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I."}]


def found(template: ChatTemplate, *records: Record) -> list[object]:
    rows = encode_rows(records, template, "all-assistant", max_length=64)
    return [(fault.code, fault.row, fault.severity) for fault in rows.faults]


def test_a_sound_row_becomes_its_example(template: ChatTemplate) -> None:
    rows = encode_rows([SHORT], template, "all-assistant", max_length=64)
    encoded = template.encode_conversation(SHORT["messages"])
    assert rows.examples == [Example.from_sequence(encoded.token_ids, encoded.weights)]
    assert rows.faults == []


def test_a_cut_answer_is_shown_and_keeps_its_start(template: ChatTemplate) -> None:
    rows = encode_rows([SHORT, LONG_ANSWER], template, "all-assistant", max_length=64)
    assert [(f.code, f.row, f.severity) for f in rows.faults] == [("answer_cut", 2, "warn")]
    whole = template.encode_conversation(LONG_ANSWER["messages"])
    assert rows.examples[1] == Example.from_sequence(whole.token_ids[:64], whole.weights[:64])


def test_a_row_of_which_nothing_is_left_to_learn_is_refused(template: ChatTemplate) -> None:
    assert found(template, LONG_PROMPT) == [("no_supervised_token", 1, "refuse")]


def test_a_template_without_an_end_of_turn_is_refused(template: ChatTemplate) -> None:
    source = template.source.replace("<|im_end|>", "")
    assert found(dataclasses.replace(template, source=source), SHORT) == [
        ("no_stop_token", 1, "refuse")
    ]


def test_a_text_that_begins_twice_is_refused(template: ChatTemplate) -> None:
    doubled = dataclasses.replace(template, source="<|im_start|>" + template.source)
    assert found(doubled, SHORT) == [("doubled_bos", 1, "refuse")]


def test_an_answer_that_melts_into_its_prompt_is_shown(template: ChatTemplate) -> None:
    # "is" is one token of the tiny vocabulary, and here its two letters are on either side.
    source = (
        "{% for message in messages %}{% if message['role'] == 'assistant' %}{{ 'i' }}{% endif %}"
        "{{ message['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'i' }}{% else %}<|im_end|>{% endif %}"
    )
    record = {"messages": [ROLE[0], {"role": "assistant", "content": "s"}]}
    melting = dataclasses.replace(template, source=source)
    assert len(melting.tokenizer.encode("is", add_special_tokens=False).ids) == 1
    assert found(melting, record) == [("prompt_tokens_differ", 1, "warn")]


def test_refusals_name_five_rows_and_count_the_rest() -> None:
    faults = [Finding("no_supervised_token", "nothing").in_row(row) for row in range(1, 8)]
    with pytest.raises(InvalidDataError, match=r"row 5: .*; and 2 more like these\.") as caught:
        raise_refusals(faults)
    assert "row 6" not in caught.value.message
    raise_refusals([Fault("answer_cut", "the answer is cut", 1, "warn")])


def test_warnings_are_one_sentence_a_kind_with_the_rows() -> None:
    cut = [Finding("answer_cut", "the answer is cut").in_row(row) for row in (3, 4, 4, 7, 8, 9)]
    typed = Finding("special_in_text", "'<s>' is special", message=1).in_row(2)
    assert sum_up_warnings([*cut, typed, Finding("doubled_bos", "twice").in_row(1)]) == [
        "Row 3: the answer is cut (as in 4 more: 4, 7, 8, …). [answer_cut]",
        "Row 2, message 1: '<s>' is special. [special_in_text]",
    ]


def test_a_row_that_the_template_cannot_write_is_named(template: ChatTemplate) -> None:
    guard = "{% if messages|length > 2 %}{{ raise_exception('Two only') }}{% endif %}"
    strict = dataclasses.replace(template, source=guard + template.source)
    rows = encode_rows([SHORT, {"messages": ROLE * 2}], strict, "last-assistant", max_length=64)
    with pytest.raises(InvalidDataError, match=r"row 2: the model's template refuses .*Two only"):
        raise_refusals(rows.faults)


def test_each_fault_has_a_heading_in_the_docs_and_its_severity_below() -> None:
    text = DOCS.read_text(encoding="utf-8")
    said = dict(re.findall(r"^## (\w+)\n\n(refuse|warn)", text, flags=re.MULTILINE))
    assert said == dict(FAULTS)
    assert len(re.findall(r"^## ", text, flags=re.MULTILINE)) == len(FAULTS)


def test_functions_that_a_template_has_no_place_for_are_refused(template: ChatTemplate) -> None:
    # Their names stand in the text anyway, as names may.
    tools: list[dict[str, object]] = [{"function": {"name": "I"}}, {"name": "Who"}]
    row: Record = {"messages": ROLE, "tools": tools}
    cut = TAGGED.replace("for tool in tools", "for tool in tools[:1]")
    dropped = [("tools_dropped", 2, "refuse")]
    for source, refused in ((template.source, dropped), (cut, dropped), (TAGGED, [])):
        reads = dataclasses.replace(template, source=source)
        rows = encode_rows([LONG_PROMPT, row], reads, "all-assistant", max_length=512)
        assert [(fault.code, fault.row, fault.severity) for fault in rows.faults] == refused


@pytest.mark.parametrize(
    ("loss_mask", "weights", "told"),
    [
        ("all-assistant", (None, 0, None, 1), [(2, "refuse")]),
        ("all-assistant", (0, 1, 0, 0.5), [(4, "warn")]),
        ("last-assistant", (None, 0, None, 1), []),
        ("last-assistant", (1, None, None, 1), [(1, "warn")]),
        ("all", (0, 1, None, 1), [(1, "refuse")]),
        ("custom", (0, 0, 2, 1), []),
    ],
)
def test_a_weight_that_the_mask_does_not_follow_is_told_and_a_zero_refused(
    template: ChatTemplate, loss_mask: LossMask, weights: Sequence[object], told: list[object]
) -> None:
    row = [{**turn, "weight": weight} for turn, weight in zip(ROLE * 2, weights, strict=True)]
    _, findings = RowEncoder(template, loss_mask, 64).encode({"messages": row})
    assert [(one.message, one.in_row(1).severity) for one in findings] == told
    assert {one.code for one in findings} <= {"weight_unused"}


def test_a_weight_of_an_answer_that_is_compared_is_told_once(template: ChatTemplate) -> None:
    asked, said, better = (
        {**ROLE[0], "weight": 1},
        {**ROLE[1], "weight": 0},
        {**ROLE[1], "weight": 1},
    )
    row = {"prompt": [asked], "chosen": [{**better, "content": "Me."}], "rejected": [said]}
    _, findings = PairEncoder(template, 64).encode(row)
    assert [(one.message, one.in_row(1).severity) for one in findings] == [
        (1, "warn"),
        (2, "refuse"),
    ]
    assert findings[1].sentence.startswith("rejected: its `weight` is 0, and it would be learned")
