"""What a template is told of functions, and what is refused with one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tool_templates import BARE, PYTHONIC, TAGGED
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, TwinkleError
from twinkle_jupyter.service.openai.call_reader import Call
from twinkle_jupyter.service.openai.tool_use import read_messages, read_tool_use
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.tool_form import CallForm, find_call_form
from twinkle_jupyter.wire.openai import ChatBody

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
ASKED = {"role": "user", "content": "Rain in Paris?"}
CALLS = [
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
    }
]
CALLED = {"role": "assistant", "content": None, "tool_calls": CALLS}
TOLD = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}


def _template(tiny_model: Path, source: str) -> ChatTemplate:
    loaded = ChatTemplate.load(tiny_model)
    bare = ChatTemplate(loaded.tokenizer, source)
    return ChatTemplate(loaded.tokenizer, source, call_form=find_call_form(bare.render))


def _body(**more: object) -> ChatBody:
    return ChatBody.model_validate({"model": "m", "messages": [ASKED], "tools": [WEATHER], **more})


def test_the_form_of_calls_is_the_templates(tiny_model: Path) -> None:
    assert _template(tiny_model, TAGGED).call_form == CallForm(
        '<tool_call>\n{"name": "', '", "arguments": '
    )
    assert _template(tiny_model, BARE).call_form == CallForm('{"name": "', '", "parameters": ')
    assert _template(tiny_model, PYTHONIC).call_form is None
    assert ChatTemplate.load(tiny_model).call_form is None


@pytest.mark.parametrize("source", [TAGGED, BARE])
def test_a_conversation_with_calls_is_rendered_by_the_template(
    tiny_model: Path, source: str
) -> None:
    template = _template(tiny_model, source)
    body = _body(messages=[ASKED, CALLED, TOLD])
    text = template.render(
        read_messages(body.messages), with_prompt=True, tools=read_tool_use(body, template).tools
    )
    assert template.call_form is not None
    assert f'{template.call_form.begin("weather")}{{"city": "Paris"}}}}' in text
    assert "sunny" in text
    schema, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    assert schema == WEATHER


@pytest.mark.parametrize("source", [TAGGED, BARE])
@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "weather"}}]
)
def test_an_answer_that_has_to_call_begins_so(
    tiny_model: Path, source: str, choice: object
) -> None:
    template = _template(tiny_model, source)
    use = read_tool_use(_body(tool_choice=choice), template)
    prompt = template.encode_prompt([ASKED], tools=use.tools, opening=use.opening)
    text = template.tokenizer.decode(list(prompt), skip_special_tokens=False)
    assert text.endswith(f"assistant\n{use.opening}")
    reader = use.reader()
    assert reader is not None
    parts = [*reader.feed('{"city": "Rome"}}'), *reader.rest()]
    assert parts == [Call("weather", '{"city": "Rome"}')]


def test_tools_that_are_not_to_be_called_are_not_told(tiny_model: Path) -> None:
    use = read_tool_use(_body(tool_choice="none"), _template(tiny_model, TAGGED))
    assert (use.tools, use.reader()) == ((), None)


@pytest.mark.parametrize(
    ("source", "body", "told"),
    [
        (None, _body(), "its chat template has no place for them"),
        (None, _body(tools=None, messages=[ASKED, CALLED, TOLD]), "has no place for them"),
        (PYTHONIC, _body(), "writes calls in a form that is not read here"),
        (TAGGED, _body(tools=None, tool_choice="required"), "there are no tools"),
        (TAGGED, _body(tool_choice={"function": {"name": "f"}}), "name='f' is not among the tools"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    tiny_model: Path, source: str | None, body: ChatBody, told: str
) -> None:
    template = ChatTemplate.load(tiny_model) if source is None else _template(tiny_model, source)
    with pytest.raises(InvalidConfigError, match=told.replace("(", "\\(")):
        read_tool_use(body, template)


def test_arguments_that_are_no_json_and_calls_too_many_are_the_users_mistakes(
    tiny_model: Path,
) -> None:
    wrong = json.loads(json.dumps(CALLED).replace('{\\"city\\"', "city"))
    with pytest.raises(InvalidDataError, match=r"messages\[0\].tool_calls\[0\].function.arguments"):
        read_messages(_body(messages=[wrong]).messages)
    twice = {**CALLED, "tool_calls": [*CALLS, *CALLS]}
    messages = read_messages(_body(messages=[ASKED, twice]).messages)
    with pytest.raises(TwinkleError, match="One call a turn!"):
        _template(tiny_model, BARE).render(messages)
