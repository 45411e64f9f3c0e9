"""A row as tokens: what the ribbon draws is what the run learns."""

from __future__ import annotations

import dataclasses
import json

from tests.tool_templates import TAGGED
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.message_form import Messages
from twinkle_jupyter.templates.token_view import TokenView, ViewedToken, view_tokens

ROW = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Who? \U0001f99c"},
    {"role": "assistant", "content": "I am Twinkle."},
]


def texts_by_role(view: TokenView) -> dict[str, str]:
    texts: dict[str, str] = {}
    for token in view.tokens:
        if not token.text.count("�"):
            texts[token.role] = texts.get(token.role, "") + token.text
    return texts


def test_tokens_are_those_of_the_run_with_role_weight_and_place(template: ChatTemplate) -> None:
    encoded = template.encode_conversation(ROW)
    view = view_tokens(ROW, template)

    assert tuple(token.id for token in view.tokens) == encoded.token_ids
    assert tuple(token.weight for token in view.tokens) == encoded.weights
    assert view.num_learned == sum(1 for weight in encoded.weights if weight)
    for token in view.tokens:
        assert token.text in (view.text[token.start : token.end], "�")
    assert {token.text for token in view.tokens if token.special} == {"<|im_start|>", "<|im_end|>"}
    assert texts_by_role(view) == {
        "system": "<|im_start|>system\nBe short.<|im_end|>\n",
        "user": "<|im_start|>user\nWho? <|im_end|>\n",
        "assistant": "<|im_start|>assistant\nI am Twinkle.<|im_end|>\n",
    }
    parrot = view.text.index("\U0001f99c")
    parts = [token for token in view.tokens if token.start == parrot]
    assert len(parts) == 4
    assert {token.end for token in parts} == {parrot + 1}


def test_what_is_cut_is_shown_and_not_counted(template: ChatTemplate) -> None:
    whole = view_tokens(ROW, template)
    cut = view_tokens(ROW, template, "last-assistant", max_length=len(whole.tokens) - 3)

    assert cut.tokens == whole.tokens
    assert whole.num_learned - cut.num_learned == 2  # the newline at the end is never learned


def test_the_end_of_text_after_a_conversation_moves_no_border(template: ChatTemplate) -> None:
    source = template.source + "{% if not add_generation_prompt %}<|endoftext|>{% endif %}"
    view = view_tokens(ROW, dataclasses.replace(template, source=source))
    assert view.tokens[-1].text == "<|endoftext|>"
    assert texts_by_role(view)["user"] == "<|im_start|>user\nWho? <|im_end|>\n"


def test_a_view_goes_through_json_column_by_column(template: ChatTemplate) -> None:
    view = view_tokens(ROW, template, max_length=8)
    read = json.loads(json.dumps(view.to_json()))
    assert (read["text"], read["max_length"]) == (view.text, 8)
    (fault,) = read["faults"]
    assert (fault["code"], fault["row"], fault["severity"]) == ("no_supervised_token", 1, "refuse")
    rows = zip(*(read["tokens"][field] for field in ViewedToken.__slots__), strict=True)
    assert tuple(ViewedToken(*row) for row in rows) == view.tokens


def test_a_row_that_is_refused_is_seen_all_the_same(template: ChatTemplate) -> None:
    otherwise = template.source + "{% if add_generation_prompt %}<hm>{% endif %}"
    view = view_tokens(ROW, dataclasses.replace(template, source=otherwise))
    assert view.text.endswith("I am Twinkle.<|im_end|>\n")
    assert (len(view.tokens) > 20, view.num_learned) == (True, 0)
    assert [fault.code for fault in view.faults] == ["prompt_text_differs"]

    marked = "{% generation %}" + otherwise + "{% endgeneration %}"
    view = view_tokens(ROW, dataclasses.replace(template, source=marked))
    assert "its prompt goes on with '<hm>', and this text does not" in view.faults[0].sentence
    assert view.faults[0].excerpt == "<hm>"

    refusing = "{{ raise_exception('No system') }}"
    view = view_tokens(ROW, dataclasses.replace(template, source=refusing))
    assert (view.text, view.tokens) == ("", ())
    assert [fault.place for fault in view.faults] == ["row 1"]
    assert "No system" in view.faults[0].sentence


def test_a_fault_of_tokens_names_them(template: ChatTemplate) -> None:
    whole = view_tokens(ROW, template)
    last = max(i for i, token in enumerate(whole.tokens) if token.weight)
    (fault,) = view_tokens(ROW, template, max_length=last).faults
    assert (fault.code, fault.tokens) == ("answer_cut", (last, last + 1))
    assert whole.tokens[last].text == "<|im_end|>"


def test_what_a_template_says_by_itself_is_nobodys(template: ChatTemplate) -> None:
    default = (
        "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are small.<|im_end|>\n"
        "{% endif %}"
    )
    injecting = dataclasses.replace(template, source=default + template.source)
    view = view_tokens(ROW[1:], injecting)
    assert texts_by_role(view)[""] == "<|im_start|>system\nYou are small.<|im_end|>\n"
    assert texts_by_role(view)["user"] == "<|im_start|>user\nWho? <|im_end|>\n"
    assert "" not in texts_by_role(view_tokens(ROW, injecting))


def test_an_answer_that_is_written_otherwise_later_keeps_its_words(template: ChatTemplate) -> None:
    # As Qwen 3 does: the last answer begins with an empty reasoning, those before it do not.
    source = template.source.replace(
        "message['content']",
        "('Hm.\\n' if loop.last and message['role'] == 'assistant' else '') + message['content']",
    )
    rewriting = dataclasses.replace(template, source=source)
    more = [*ROW, {"role": "user", "content": "Sure?"}, {"role": "assistant", "content": "Yes."}]
    view = view_tokens(more, rewriting, "last-assistant")
    texts = texts_by_role(view)
    assert view.faults == ()
    assert "<|im_start|>assistant\nI am Twinkle.<|im_end|>" in texts["assistant"]
    assert "<|im_start|>assistant\nHm.\nYes.<|im_end|>" in texts["assistant"]
    assert "<|im_start|>user\nSure?<|im_end|>\n" in texts["user"]


def test_functions_stand_before_the_first_message_and_move_no_border(
    template: ChatTemplate,
) -> None:
    call = {"type": "function", "function": {"name": "look", "arguments": {"at": "it"}}}
    messages: Messages = [
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "Seen."},
        {"role": "assistant", "content": "It."},
    ]
    tools = [{"type": "function", "function": {"name": "look"}}]

    view = view_tokens(messages, dataclasses.replace(template, source=TAGGED), tools=tools)

    texts = texts_by_role(view)
    assert texts[""].startswith("<|im_start|>system\n# Tools\n")
    assert texts["user"] == "<|im_start|>user\nWho?<|im_end|>\n"
    assert texts["tool"] == (
        "<|im_start|>user\n<tool_response>\nSeen.\n</tool_response><|im_end|>\n"
    )
    assert texts["assistant"] == (
        '<|im_start|>assistant\n<tool_call>\n{"name": "look", "arguments": {"at": "it"}}\n'
        "</tool_call><|im_end|>\n<|im_start|>assistant\nIt.<|im_end|>\n"
    )
