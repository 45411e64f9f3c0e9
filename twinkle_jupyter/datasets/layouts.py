"""Layouts of training data that people have, each turned into conversations.

A layout is known by its field names. Nothing here judges what is said; `record_checks.py` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, TypeAlias

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


def to_messages(row: Mapping[str, object], layout: Layout) -> object:
    """Return the row's messages as they are in the layout `chat`, unchecked.

    What is no text stays what it is, so that the check can name it.
    """
    if layout == "chat":
        return to_turns(row["messages"])
    if layout == "sharegpt":
        return _clean_messages(_parsed(row["conversations"]), "from", "value")
    if layout == "prompt-completion":
        prompt, completion = row["prompt"], row["completion"]
        if isinstance(prompt, list) and isinstance(completion, list):
            return _clean_messages([*prompt, *completion], "role", "content")
        return [_message("user", prompt), _message("assistant", completion)]
    return _alpaca_messages(row)


def to_turns(value: object) -> object:
    """Return a list of messages as they are in the layout `chat`; what is none stays as it is."""
    return _clean_messages(_parsed(value), "role", "content")


def to_tools(row: Mapping[str, object]) -> object:
    """Return the functions that may be called in the row, unchecked; None where it has none."""
    tools = row.get("tools")
    # A table has NaN where a row has nothing.
    return None if isinstance(tools, float) else _parsed(tools) or None


def _alpaca_messages(row: Mapping[str, object]) -> list[Loose]:
    instruction, extra = row["instruction"], row.get("input")
    if isinstance(instruction, str) and isinstance(extra, str) and extra.strip():
        instruction = f"{instruction}\n\n{extra}"
    messages = [_message("user", instruction), _message("assistant", row["output"])]
    system = row.get("system")
    return [_message("system", system), *messages] if isinstance(system, str) else messages


def _message(role: str, content: object) -> Loose:
    return {"role": role, "content": content}


def _parsed(value: object) -> object:
    """Read messages that a CSV or Parquet column holds as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _clean_messages(messages: object, role_field: str, content_field: str) -> object:
    if not isinstance(messages, list):
        return messages
    return [
        _clean_message(message, role_field, content_field)
        if isinstance(message, Mapping)
        else message
        for message in messages
    ]


def _clean_message(message: Mapping[str, object], role_field: str, content_field: str) -> Loose:
    role = message.get(role_field, message.get("role"))
    content = message.get(content_field, message.get("content"))
    if role_field == "from" and isinstance(role, str):
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
