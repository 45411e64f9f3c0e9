"""Whether records are conversations that can be learned from, with every fault named by its row.

The same check runs in the kernel, before anything is sent, and in the service, which trusts nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict

from twinkle_jupyter.datasets.turn_fields import (
    Message,
    calls_functions,
    clean_message,
    find_field_faults,
)
from twinkle_jupyter.errors import NOTHING_STARTED, InvalidDataError

ROLES = ("system", "user", "assistant", "tool")
_MAX_SHOWN = 5


class Record(TypedDict):
    """One row of training data: a conversation."""

    messages: list[Message]
    #: Functions that may be called, as JSON schemas.
    tools: NotRequired[list[object]]


def check_records(records: object, name: str = "records") -> list[Record]:
    """Return the records, now known to be conversations that can be learned from.

    Args:
        records: What came from outside: should be a list of `{"messages": […]}`.
        name: What people call this data, for the message.

    Raises:
        InvalidDataError: A record is no such conversation, or there is none; names the first five
            faults by row and message, and the count of all.
    """
    if not isinstance(records, Sequence) or isinstance(records, str | bytes):
        raise InvalidDataError(
            f"`{name}` is {describe(records)}, not a list of records.", NOTHING_STARTED
        )
    if not records:
        raise InvalidDataError(f"`{name}` is empty.", NOTHING_STARTED)
    raise_faults(
        name,
        [
            fault
            for row, record in enumerate(records, start=1)
            for fault in find_faults(record, f"row {row}")
        ],
    )
    return [_clean(record) for record in records]


def _clean(record: Mapping[str, Sequence[Mapping[str, object]]]) -> Record:
    cleaned: Record = {"messages": [clean_message(message) for message in record["messages"]]}
    if record.get("tools"):
        cleaned["tools"] = list(record["tools"])
    return cleaned


def raise_faults(name: str, faults: Sequence[str]) -> None:
    """Raise one error that names the first five of the faults, if there is any.

    Raises:
        InvalidDataError: There is at least one fault.
    """
    if not faults:
        return
    if len(faults) == 1:
        raise InvalidDataError(f"`{name}` {faults[0]}.", NOTHING_STARTED)
    shown = "; ".join(faults[:_MAX_SHOWN])
    more = len(faults) - _MAX_SHOWN
    tail = f"; and {more:,} more" if more > 0 else ""
    raise InvalidDataError(f"`{name}` has {len(faults):,} faults: {shown}{tail}.", NOTHING_STARTED)


def find_faults(record: object, place: str) -> list[str]:
    """Return what is wrong with one record, each as a sentence that begins with `place`."""
    if not isinstance(record, Mapping):
        return [f"{place} is {describe(record)}, not an object with `messages`"]
    if "messages" not in record:
        wants = " (two answers to choose between want the loss dpo)" if "chosen" in record else ""
        return [f"{place} has no `messages`, only {_names(record)}{wants}"]
    messages = record["messages"]
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        return [f"{place}: `messages` is {describe(messages)}, not a list"]
    if not messages:
        return [f"{place} has no messages"]
    faults = [*_find_message_faults(messages, place), *_find_tool_faults(record, place)]
    return faults or _find_turn_faults(messages, place)


def describe(value: object) -> str:
    """Name a value for people: what it is, and its beginning when it is short enough to help."""
    if value is None:
        return "null"
    if isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:40]}…"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Iterable):
        return "a list"
    return f"a {type(value).__name__}"


def _find_message_faults(messages: Sequence[object], place: str) -> Iterator[str]:
    for number, message in enumerate(messages, start=1):
        here = f"{place}, message {number}"
        if not isinstance(message, Mapping):
            yield f"{here} is {describe(message)}, not an object with `role` and `content`"
            continue
        role, content = message.get("role"), message.get("content")
        if role is None:
            yield f"{here} has no `role`, which is one of {', '.join(ROLES)}"
        elif role not in ROLES:
            yield f"{here}: role {describe(role)} is not one of {', '.join(ROLES)}"
        if "content" not in message and not calls_functions(message):
            yield f"{here} has no `content`"
        elif fault := _find_content_fault(content, message):
            yield f"{here}: {fault}"
        yield from (f"{here}: {fault}" for fault in find_field_faults(message))


def _find_tool_faults(record: Mapping[str, object], place: str) -> Iterator[str]:
    tools = record.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        yield f"{place}: `tools` is not a list of objects"


def _find_content_fault(content: object, message: Mapping[str, object]) -> str:
    if not content and calls_functions(message):
        return ""
    if not isinstance(content, str):
        return f"the content is {describe(content)}, not text"
    if message.get("role") == "assistant" and not content.strip():
        return "the assistant's answer is empty"
    # Legal in JSON as an escape, but no tokenizer and no UTF-8 can take it.
    if any("\ud800" <= character <= "\udfff" for character in content):
        return "the content has a lone surrogate, which is half of a character"
    return ""


def _find_turn_faults(messages: Sequence[Mapping[str, str]], place: str) -> list[str]:
    roles = [message["role"] for message in messages]
    if "assistant" not in roles:
        return [f"{place} has no assistant turn, so there is nothing to learn"]
    if roles[0] == "assistant":
        return [f"{place} begins with the assistant, before anything was asked"]
    return []


def _names(record: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}`" for name in list(record)[:6]) or "nothing"
