"""The form in which a template wants messages, and what is taken out before."""

from __future__ import annotations

import dataclasses

from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.encode_rows import RowEncoder
from twinkle_jupyter.templates.message_form import MessageForm, strip_reasoning

ASK = {"role": "user", "content": "Who?"}
#: As models that see want it: a text that is no list of parts is dropped without a word.
IN_PARTS = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_template_that_reads_parts_gets_parts(template: ChatTemplate) -> None:
    plain = dataclasses.replace(template, source=IN_PARTS)
    built = ChatTemplate.build(template.tokenizer, IN_PARTS, template.special_tokens)
    row = [ASK, {"role": "assistant", "content": "Twinkle."}]

    # Found by hand with this fault: the answer was empty, and nobody said so.
    assert "Twinkle." not in plain.render(row)
    _, findings = RowEncoder(plain, "all-assistant", 64).encode({"messages": row})
    assert {finding.code for finding in findings} == {"message_dropped"}

    assert built.form == MessageForm(in_parts=True)
    assert built.render(row) == template.render(row)
    assert RowEncoder(built, "all-assistant", 64).encode({"messages": row})[1] == []


def test_the_weight_of_a_message_is_not_for_the_template(template: ChatTemplate) -> None:
    source = "{% for message in messages %}{{ message | tojson }}{% endfor %}"
    tell_all = dataclasses.replace(template, source=source)
    assert "weight" not in tell_all.render([{**ASK, "weight": 2}])


def test_reasoning_is_taken_out_of_fields_and_of_the_beginning_of_an_answer() -> None:
    stripped = strip_reasoning(
        [
            {"role": "user", "content": "<think>is a tag</think>?"},
            {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nYes.", "thinking": "Hm."},
            {"role": "assistant", "content": "No <think>in</think> words.", "reasoning": "So."},
        ]
    )
    assert stripped == [
        {"role": "user", "content": "<think>is a tag</think>?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "assistant", "content": "No <think>in</think> words."},
    ]


def test_an_answer_that_only_had_thoughts_is_empty_without_them(template: ChatTemplate) -> None:
    row = {"messages": [ASK, {"role": "assistant", "content": "<think>Hm.</think>"}]}
    codes = {
        reasoning: [
            finding.code
            for finding in RowEncoder(template, "all-assistant", 64, reasoning).encode(row)[1]
        ]
        for reasoning in ("keep", "strip")
    }
    assert codes == {"keep": [], "strip": ["empty_answer"]}
