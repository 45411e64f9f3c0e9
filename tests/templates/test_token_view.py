"""A row as tokens: what the ribbon draws is what the run learns."""

from __future__ import annotations

import dataclasses
import json

from twinkle_jupyter.templates.chat_template import ChatTemplate
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
    rows = zip(*(read["tokens"][field] for field in ViewedToken.__slots__), strict=True)
    assert tuple(ViewedToken(*row) for row in rows) == view.tokens
