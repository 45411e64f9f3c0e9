"""What a message may have besides role and content: reasoning, calls of functions, a weight."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict, cast

#: What data sets call an answer's reasoning; the first is the name here.
REASONING_NAMES = ("reasoning_content", "reasoning", "thinking")
_TEXTS = ("reasoning_content", "name", "tool_call_id")
_FIELDS = (*_TEXTS, "tool_calls", "weight")


class Message(TypedDict):
    """One turn of a conversation."""

    role: str
    #: Empty where the turn only calls functions.
    content: str
    #: What the assistant thought before it answered.
    reasoning_content: NotRequired[str]
    #: `{"type": "function", "function": {"name", "arguments"}}`.
    tool_calls: NotRequired[list[object]]
    #: Of the function whose result this is.
    name: NotRequired[str]
    #: Of the call whose result this is.
    tool_call_id: NotRequired[str]
    #: Loss weight of the turn with the loss mask `custom`; 0 is not learned.
    weight: NotRequired[float]


def take_fields(message: Mapping[str, object]) -> dict[str, object]:
    """Return what a row says besides role and content, in our names; unchecked.

    Fields that are null are not there: a column has them in every row.
    """
    fields = {name: message[name] for name in _FIELDS if message.get(name) is not None}
    reasoning = next((message[n] for n in REASONING_NAMES if message.get(n)), None)
    if reasoning is not None:
        fields["reasoning_content"] = reasoning
    calls = fields.get("tool_calls")
    if isinstance(calls, Sequence) and not isinstance(calls, str):
        fields["tool_calls"] = [_with_object(call) for call in calls]
        if not calls:
            del fields["tool_calls"]
    return fields


def clean_message(message: Mapping[str, object]) -> Message:
    """Return a message that was checked, with the fields that have a meaning here."""
    content = message.get("content") or ""
    fields = {name: message[name] for name in _FIELDS if message.get(name) is not None}
    return cast("Message", {"role": message["role"], "content": content, **fields})


def find_field_faults(message: Mapping[str, object]) -> Iterator[str]:
    """Yield what is wrong with the fields besides role and content."""
    for name in _TEXTS:
        if not isinstance(message.get(name, ""), str):
            yield f"`{name}` is not text"
    weight = message.get("weight", 0)
    is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not is_number or not 0 <= cast("float", weight) < math.inf:
        yield f"`weight` is {weight!r}, not a number from 0 on"
    if "tool_calls" in message:
        yield from _find_call_faults(message["tool_calls"])


def calls_functions(message: Mapping[str, object]) -> bool:
    """Whether a message need not have words."""
    return bool(message.get("tool_calls"))


def _find_call_faults(calls: object) -> Iterator[str]:
    if not isinstance(calls, Sequence) or isinstance(calls, str | bytes):
        yield "`tool_calls` is not a list"
        return
    for number, call in enumerate(calls, start=1):
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            yield f"call {number} has no `function` with a `name`"
        elif not isinstance(function.get("arguments"), Mapping):
            yield f"the arguments of call {number} are not an object, nor JSON of one"


def _with_object(call: object) -> object:
    """Read a call's arguments where they are JSON as text, as OpenAI writes them."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        return call
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return call
    return {**call, "function": {**function, "arguments": arguments}}
