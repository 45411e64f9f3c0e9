"""What an answer says and which functions it calls, told apart while it comes piece by piece.

A call is JSON between tags, anywhere in the answer; or the answer is JSON and nothing else. What
looks like a call and is none is text, as it was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from pydantic import JsonValue

from twinkle_jupyter.templates.tool_form import CALL_END, CALL_START

#: What is between the calls of an answer that is bare JSON.
_BETWEEN = " \t\r\n;,"


@dataclass(frozen=True, slots=True)
class Call:
    """One function that is called."""

    name: str
    #: A JSON object, as text.
    arguments: str


Part: TypeAlias = "str | Call"


class CallReader:
    """Reads one answer.

    Args:
        names: Of the functions; bare JSON that names another one is an answer like any other.
        max_calls: Further ones are left out; None for all.
    """

    def __init__(self, names: Set[str], max_calls: int | None = None) -> None:
        self._names = names
        self._max_calls = max_calls
        self._held = ""
        self._inside: Literal["nothing", "text", "tags", "json"] = "nothing"
        self._has_said = False
        #: Calls that were told.
        self.num_calls = 0

    def feed(self, text: str) -> list[Part]:
        """Take in the next piece; return what is certain by now."""
        self._held += text
        return list(self._take())

    def rest(self) -> list[Part]:
        """The answer is over: return what was held back."""
        held, self._held = self._held, ""
        match self._inside:
            case "json":
                calls = _read_bare(held, self._names)
                return list(self._tell(calls)) if calls else [held]
            case "tags":
                # Some models leave the end mark out.
                call = _read_call(held)
                return list(self._tell([call])) if call else [CALL_START + held]
            case _:
                # White space around calls is none of the text, but between two parts of it.
                is_text = held.strip() or (held and not self.num_calls)
                return [self._cut(held)] if is_text else []

    def _take(self) -> Iterator[Part]:
        if self._inside == "nothing" and (first := self._held.lstrip()[:1]):
            self._inside = "json" if first in "{[" else "text"
        is_open = self._inside in ("text", "tags")
        while is_open:
            if self._inside == "text":
                said, is_open = self._take_text()
                if said:
                    yield said
            else:
                before, mark, after = self._held.partition(CALL_END)
                is_open = bool(mark)
                if mark:
                    self._inside, self._held = "text", after
                    call = _read_call(before)
                    yield from self._tell([call]) if call else [f"{CALL_START}{before}{CALL_END}"]

    def _take_text(self) -> tuple[str, bool]:
        """Return what is certainly text, and whether a call follows."""
        before, mark, after = self._held.partition(CALL_START)
        if mark:
            self._inside, self._held = "tags", after
            text = before.rstrip()
        else:
            sizes = range(min(len(CALL_START) - 1, len(before)), 0, -1)
            kept = next((size for size in sizes if before.endswith(CALL_START[:size])), 0)
            # White space before a call is none of the text.
            text = before[: len(before) - kept].rstrip()
            self._held = before[len(text) :]
        return self._cut(text), bool(mark)

    def _cut(self, text: str) -> str:
        text = text.lstrip() if self.num_calls and not self._has_said else text
        self._has_said = self._has_said or bool(text)
        return text

    def _tell(self, calls: list[Call]) -> Iterator[Call]:
        for call in calls:
            if self._max_calls is None or self.num_calls < self._max_calls:
                self.num_calls += 1
                yield call


def _read_call(text: str) -> Call | None:
    try:
        return _as_call(cast("JsonValue", json.loads(text)))
    except (ValueError, RecursionError):
        return None


def _read_bare(text: str, names: Set[str]) -> list[Call]:
    """Return the calls of a text that is nothing else; none otherwise."""
    values: list[JsonValue] = []
    decoder, text = json.JSONDecoder(), text.strip()
    try:
        while text:
            value, end = decoder.raw_decode(text)
            values += value if isinstance(value, list) else [value]
            text = text[end:].lstrip(_BETWEEN)
        found = [_as_call(value) for value in values]
    except (ValueError, RecursionError):
        return []
    calls = [call for call in found if call is not None and call.name in names]
    return calls if len(calls) == len(values) else []


def _as_call(value: JsonValue) -> Call | None:
    """Return the call that a value is, None for none; raises ValueError for no JSON inside."""
    if not isinstance(value, dict) or not isinstance(name := value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = cast("JsonValue", json.loads(arguments or "{}"))
    if not isinstance(arguments, dict):
        return None
    return Call(name, json.dumps(arguments, ensure_ascii=False))
