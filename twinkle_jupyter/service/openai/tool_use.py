"""Functions that an answer may call: what the template is told of them, and how calls are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.service.openai.call_reader import CallReader
from twinkle_jupyter.service.parts import PromptTemplate
from twinkle_jupyter.templates.message_form import Tools
from twinkle_jupyter.wire.openai import ChatBody, ChosenTool, Message


@dataclass(frozen=True, slots=True)
class ToolUse:
    """What a request says of functions."""

    #: As the template is told.
    tools: Tools = ()
    #: What an answer that has to call begins with; empty for one that may.
    opening: str = ""
    max_calls: int | None = None

    @property
    def names(self) -> frozenset[str]:
        """Of all functions."""
        functions = [tool["function"] for tool in self.tools]
        return frozenset(str(one["name"]) for one in functions if isinstance(one, dict))

    def reader(self) -> CallReader | None:
        """Return what reads one answer; None where nothing may be called."""
        if not self.tools:
            return None
        reader = CallReader(self.names, self.max_calls)
        reader.feed(self.opening)
        return reader


def read_tool_use(body: ChatBody, template: PromptTemplate) -> ToolUse:
    """Return what a request says of functions.

    Raises:
        InvalidConfigError: The template has no place for functions, or the one that is to be called
            is not there.
    """
    called = any(message.tool_calls for message in body.messages)
    if (body.tools or called) and template.call_form is None:
        raise InvalidConfigError(
            f"tools cannot be used with model {body.model!r}: its chat template has no place for"
            " them, or writes calls in a form that is not read here.",
            "Take a base model whose template has them, as Qwen3's and Llama 3's do.",
        )
    choice = body.tool_choice
    if not body.tools and choice not in (None, "none", "auto"):
        raise InvalidConfigError("tool_choice asks for a call, and there are no tools.")
    if not body.tools or choice == "none":
        return ToolUse()
    tools = [tool.model_dump(exclude_none=True) for tool in body.tools]
    form, opening = template.call_form, ""
    names = [tool.function.name for tool in body.tools]
    if isinstance(choice, ChosenTool) and choice.function.name not in names:
        raise InvalidConfigError(
            f"tool_choice.function.name={choice.function.name!r} is not among the tools.",
            f"There are: {', '.join(names)}.",
        )
    if form is not None and choice == "required":
        opening = form.begin(names[0] if len(names) == 1 else None)
    if form is not None and isinstance(choice, ChosenTool):
        opening = form.begin(choice.function.name)
    return ToolUse(tools, opening, 1 if body.parallel_tool_calls is False else None)


def read_messages(messages: Sequence[Message]) -> list[dict[str, object]]:
    """Return a conversation as templates read it.

    Raises:
        InvalidDataError: A turn has something else than text, or calls with what is no JSON.
    """
    return [_read_message(index, message) for index, message in enumerate(messages)]


def _read_message(index: int, message: Message) -> dict[str, object]:
    content = message.content
    if isinstance(content, list):
        other = next((part.type for part in content if part.type != "text"), None)
        if other is not None:
            raise InvalidDataError(
                f"messages[{index}] has a part of type {other!r}; models here read text."
            )
        content = "".join(part.text for part in content)
    # The newer name of what templates know as the system's turn.
    role = "system" if message.role == "developer" else message.role
    turn: dict[str, object] = {"role": role, "content": content or ""}
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.function.name,
                    "arguments": _read_arguments(
                        call.function.arguments, f"messages[{index}].tool_calls[{place}]"
                    ),
                },
            }
            for place, call in enumerate(message.tool_calls)
        ]
    # Templates ask whether they are there.
    more = {"tool_call_id": message.tool_call_id, "name": message.name}
    return {**turn, **{name: value for name, value in more.items() if value is not None}}


def _read_arguments(text: str, where: str) -> dict[str, object]:
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise InvalidDataError(f"{where}.function.arguments is no JSON object, written as text.")
    return arguments
