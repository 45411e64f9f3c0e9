"""Layouts of training data that people have, each turned into conversations.

A layout is known by its field names. Nothing here judges what is said; `record_checks.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from twinkle_jupyter.datasets.table_cells import parsed, parsed_messages
from twinkle_jupyter.datasets.turn_fields import take_fields

Layout = Literal["chat", "prompt-completion", "alpaca", "sharegpt", "preference"]
#: A message or record whose values nobody has checked yet.
Loose: TypeAlias = dict[str, object]

#: Field names of each layout of conversations, the first ones that a row has all of decide.
LAYOUTS: dict[Layout, tuple[str, ...]] = {
    "chat": ("messages",),
    "sharegpt": ("conversations",),
    "prompt-completion": ("prompt", "completion"),
    "alpaca": ("instruction", "output"),
}
_SHAREGPT_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "function_response": "tool",
    "observation": "tool",
}


def detect_layout(row: Mapping[str, object]) -> Layout | None:
    """Return the layout whose fields the row has, or None."""
    return next(
        (layout for layout, fields in LAYOUTS.items() if all(name in row for name in fields)), None
    )


def describe_layouts() -> str:
    """Return the field names of all layouts, for people."""
    return ", or ".join(" and ".join(f"`{name}`" for name in fields) for fields in LAYOUTS.values())


def is_preference(row: Mapping[str, object]) -> bool:
    """Whether a row has two answers to choose between."""
    return "chosen" in row and "rejected" in row


def is_only_preference(row: Mapping[str, object]) -> bool:
    """Whether a row has two answers to choose between, and no conversation to learn beside them.

    A row with both is a conversation, unless a run wants pairs.
    """
    return is_preference(row) and detect_layout(row) is None


def to_messages(row: Mapping[str, object], layout: Layout) -> object:
    """Return the row's messages as they are in the layout `chat`, unchecked.

    What is no text stays what it is, so that the check can name it.
    """
    if layout == "chat":
        messages = to_turns(parsed(row["messages"]))
    elif layout == "sharegpt":
        messages = to_turns(parsed(row["conversations"]))
    elif layout == "prompt-completion":
        completion = as_turns("assistant", read_turns(row["completion"]))
        messages = [*prompt_turns(row, read_turns(row["prompt"])), *completion]
    else:
        messages = [*prompt_turns(row, instruction_of(row)), _message("assistant", row["output"])]
    return with_system(row, messages)


def to_turns(value: object) -> object:
    """Return a list of messages as they are in the layout `chat`; what is none stays as it is."""
    if not isinstance(value, list):
        return value
    return [_clean_message(one) if isinstance(one, Mapping) else one for one in value]


def read_turns(value: object) -> object:
    """Return a list of messages, also of one that is JSON as text; other text stays as it is."""
    return to_turns(parsed_messages(value))


def as_turns(role: str, value: object) -> list[object]:
    """Return messages as they are, and what is no list as what this role says."""
    return value if isinstance(value, list) else [_message(role, value)]


def prompt_turns(row: Mapping[str, object], prompt: object) -> list[object]:
    """Return what is asked: messages, or a text with the turns of the row's `history` before it."""
    if isinstance(prompt, list):
        return prompt
    earlier = [
        _message(role, text)
        for pair in to_history(row)
        for role, text in zip(("user", "assistant"), pair, strict=False)
    ]
    return [*earlier, _message("user", prompt)]


def to_history(row: Mapping[str, object]) -> list[list[object]]:
    """Return the earlier questions of a row, each with its answer; what is none is not there."""
    pairs = parsed(row.get("history"))
    return [pair for pair in pairs if isinstance(pair, list)] if isinstance(pairs, list) else []


def instruction_of(row: Mapping[str, object]) -> object:
    """Return the row's `instruction`, with its `input` below it."""
    instruction, extra = row.get("instruction"), row.get("input")
    if not has_words(extra):
        return instruction
    if has_words(instruction):
        return f"{instruction}\n\n{extra}"
    return extra if is_nothing(instruction) else instruction


def with_system(row: Mapping[str, object], messages: object) -> object:
    """Return the messages with the row's `system` before them, unless it is among them."""
    system = _joined_text(row.get("system"))
    if not has_words(system) or not isinstance(messages, list) or not messages:
        return messages
    message = _message("system", system)
    return messages if message in messages else [message, *messages]


def to_tools(row: Mapping[str, object]) -> object:
    """Return the functions that may be called in the row, unchecked; None where it has none."""
    tools = row.get("tools")
    return None if is_nothing(tools) else parsed(tools) or None


def has_words(value: object) -> bool:
    """Whether a value is text that says something."""
    return isinstance(value, str) and bool(value.strip())


def is_nothing(value: object) -> bool:
    """Whether a row has nothing there: null, NaN as tables have it, or blank text."""
    return (
        value is None or isinstance(value, float) or (isinstance(value, str) and not value.strip())
    )


def _message(role: str, content: object) -> Loose:
    return {"role": role, "content": content}


def _clean_message(message: Mapping[str, object]) -> Loose:
    role, content = message.get("role"), message.get("content")
    role = message.get("from") if role is None else role
    content = message.get("value") if content is None else content
    if isinstance(role, str):
        role = _SHAREGPT_ROLES.get(role, role)
    return {"role": role, "content": _joined_text(content), **take_fields(message)}


def _joined_text(content: object) -> object:
    """Join content that comes in parts, when all of them are text."""
    if not isinstance(content, list) or not content:
        return content
    texts = [
        part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None
        for part in content
    ]
    if all(isinstance(text, str) for text in texts):
        return "".join(str(text) for text in texts)
    return content
