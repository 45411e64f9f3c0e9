"""How one chat template wants messages, found by having it write a few.

Records have one form: content is text, reasoning is `reasoning_content`, a call's arguments are an
object. Templates differ: some read content only in parts, and drop a text without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from twinkle_jupyter.errors import InvalidDataError

#: A turn has a role, and besides content perhaps reasoning, calls of functions and a loss weight.
Messages: TypeAlias = Sequence[Mapping[str, object]]
#: Functions that may be called, as JSON schemas.
Tools: TypeAlias = Sequence[Mapping[str, object]]

REASONING = "reasoning_content"
#: What templates call an answer's reasoning.
REASONING_FIELDS = (REASONING, "reasoning", "thinking")
#: What is for the loss mask and not for the template.
WEIGHT = "weight"
#: Reasoning that was written into an answer's text.
_INLINE = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
_ASKED, _SAID, _THOUGHT, _GIVEN = "xyzzyq", "xyzzya", "xyzzyr", "xyzzyt"


class RenderInForm(Protocol):
    """Conversation to text, each message in this form."""

    def __call__(self, messages: Messages, form: MessageForm) -> str:
        """Return the text."""
        ...


@dataclass(frozen=True, slots=True)
class MessageForm:
    """What becomes of a message before a template writes it."""

    #: Content is a list of `{"type": "text", "text": …}`, as models that see want it.
    in_parts: bool = False
    #: Where the template looks for reasoning.
    reasoning_field: str = REASONING
    #: A call's arguments are JSON as text.
    text_arguments: bool = False
    #: A message that only calls functions has null for content.
    null_content: bool = False

    def shape(self, messages: Messages) -> list[dict[str, object]]:
        """Return the messages as the template wants them."""
        return [self._shape(message) for message in messages]

    def _shape(self, message: Mapping[str, object]) -> dict[str, object]:
        shaped = {name: value for name, value in message.items() if name != WEIGHT}
        content = shaped.get("content")
        if self.in_parts and isinstance(content, str):
            shaped["content"] = [{"type": "text", "text": content}]
        if REASONING in shaped:
            shaped[self.reasoning_field] = shaped.pop(REASONING)
        calls = shaped.get("tool_calls")
        if isinstance(calls, list) and calls:
            shaped["tool_calls"] = [self._shape_call(call) for call in calls]
            shaped["content"] = None if self.null_content and not content else shaped["content"]
        return shaped

    def _shape_call(self, call: Mapping[str, object]) -> dict[str, object]:
        function = call.get("function")
        if not isinstance(function, Mapping):
            return dict(call)
        arguments = function.get("arguments")
        if self.text_arguments and not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        return {**call, "function": {**function, "arguments": arguments}}


#: Of templates that take messages as they are.
PLAIN_FORM = MessageForm()


def find_message_form(render: RenderInForm) -> MessageForm:
    """Return the form in which the template writes everything that it is given, or nearly."""
    question: dict[str, object] = {"role": "user", "content": _ASKED}
    answer: dict[str, object] = {"role": "assistant", "content": _SAID}

    def writes(form: MessageForm, messages: Messages, *words: str) -> bool:
        try:
            text = render(messages, form)
        except InvalidDataError:
            return False
        return all(text.count(word) == 1 for word in words)

    in_parts = not writes(MessageForm(), [question, answer], _ASKED, _SAID) and writes(
        MessageForm(in_parts=True), [question, answer], _ASKED, _SAID
    )
    thoughtful: Messages = [question, {**answer, REASONING: _THOUGHT}]
    field = next(
        (
            name
            for name in REASONING_FIELDS
            if writes(MessageForm(in_parts, name), thoughtful, _THOUGHT)
        ),
        REASONING,
    )
    call = {"type": "function", "function": {"name": "cast", "arguments": {"spell": _GIVEN}}}
    calling: Messages = [question, {"role": "assistant", "content": "", "tool_calls": [call]}]
    forms = [
        MessageForm(in_parts, field, text_arguments=is_text, null_content=is_null)
        for is_null in (False, True)
        for is_text in (False, True)
    ]
    return next((form for form in forms if writes(form, calling, _GIVEN)), forms[0])


def strip_reasoning(messages: Messages) -> list[dict[str, object]]:
    """Return the messages without what the assistant thought before it answered."""
    return [_strip(message) for message in messages]


def _strip(message: Mapping[str, object]) -> dict[str, object]:
    kept = {name: value for name, value in message.items() if name not in REASONING_FIELDS}
    content = kept.get("content")
    if message.get("role") == "assistant" and isinstance(content, str):
        kept["content"] = _INLINE.sub("", content, count=1) if _INLINE.match(content) else content
    return kept
