"""Faults of what a template does with a row: drops a part, or marks as the answer what is not.

The words of a row may well stand in the template too, so looking for them proves nothing. Instead a
conversation of the same shape is written with words that stand nowhere else. What becomes of it
depends on the shape alone, so it is done once a shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import Finding
from twinkle_jupyter.templates.loss_mask import LossMask, Span, find_learned_turns
from twinkle_jupyter.templates.message_form import REASONING, WEIGHT, Messages, Tools

_Shape: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Word:
    """A word that stands for a part of a message."""

    text: str
    #: Index of the message.
    message: int
    part: str


class KeptWords:
    """Says what becomes of conversations, by their shape.

    Args:
        template: Writes them.
        loss_mask: Says what is learned of them.
    """

    def __init__(self, template: ChatTemplate, loss_mask: LossMask) -> None:
        self._template, self._loss_mask = template, loss_mask
        self._known: dict[_Shape, tuple[Finding, ...]] = {}

    def find(self, messages: Messages, tools: Tools = ()) -> tuple[Finding, ...]:
        """Return what is wrong with a conversation that the template does not refuse."""
        shape = (len(tools), *(_shape_of(message) for message in messages))
        if shape not in self._known:
            self._known[shape] = tuple(self._try(messages, tools))
        return self._known[shape]

    def _try(self, messages: Messages, tools: Tools) -> Iterator[Finding]:
        stand_ins = [_stand_in(message, i) for i, message in enumerate(messages)]
        words = [word for _, of_message in stand_ins for word in of_message]
        functions = [_rename(tool, f"qzwf{i}e") for i, tool in enumerate(tools)]
        try:
            text, spans = self._template.find_spans(
                [message for message, _ in stand_ins], self._loss_mask, functions
            )
        except InvalidDataError:
            return  # of the words themselves the template has no such complaint
        if any(f"qzwf{i}e" not in text for i in range(len(tools))):
            yield Finding(
                "tools_dropped",
                "the model's template leaves out functions that may be called; take `tools` out of"
                " the row, or take another base model",
            )
        turns = find_learned_turns(messages, self._loss_mask)
        for word in words:
            role = str(messages[word.message]["role"])
            if word.text not in text:
                if finding := _say_dropped(word, role, is_learned=word.message in turns):
                    yield finding
            elif self._loss_mask != "all":
                is_inside = _is_inside(text.index(word.text), spans)
                yield from _say_mask(word, role, is_inside, is_learned=word.message in turns)


def _shape_of(message: Mapping[str, object]) -> _Shape:
    content, calls = message.get("content"), message.get("tool_calls")
    kind = "text" if content else repr(content)
    if isinstance(content, str) and "</think>" in content:
        kind = "reasoning"
    num_calls = len(calls) if isinstance(calls, list) else 0
    return (message["role"], kind, bool(message.get(REASONING)), num_calls, message.get(WEIGHT))


def _stand_in(message: Mapping[str, object], i: int) -> tuple[dict[str, object], list[_Word]]:
    stand_in, words = dict(message), []
    content, calls = message.get("content"), message.get("tool_calls")
    if content:
        words.append(_Word(f"qzw{i}c", i, "content"))
        stand_in["content"] = words[-1].text
        if isinstance(content, str) and "</think>" in content:
            words.append(_Word(f"qzw{i}i", i, "reasoning"))
            stand_in["content"] = f"<think>\nqzw{i}i\n</think>\n\nqzw{i}c"
    if message.get(REASONING):
        words.append(_Word(f"qzw{i}r", i, "reasoning"))
        stand_in[REASONING] = words[-1].text
    if isinstance(calls, list) and calls:
        words += [_Word(f"qzw{i}t{k}e", i, "call") for k in range(len(calls))]
        stand_in["tool_calls"] = [
            {**call, "function": {"name": f"qzw{i}t{k}e", "arguments": {"key": f"qzw{i}a{k}e"}}}
            for k, call in enumerate(calls)
        ]
    return stand_in, words


def _rename(tool: Mapping[str, object], name: str) -> dict[str, object]:
    function = tool.get("function")
    if isinstance(function, Mapping):
        return {**tool, "function": {**function, "name": name}}
    return {**tool, "name": name}


def _is_inside(place: int, spans: list[Span]) -> bool:
    return any(span.start <= place < span.end for span in spans)


def _say_dropped(word: _Word, role: str, *, is_learned: bool) -> Finding | None:
    number = word.message + 1
    if word.part == "reasoning":
        # Of earlier answers it is dropped on purpose, in training as when the model is asked.
        return (
            Finding(
                "reasoning_stripped",
                "the model's template leaves out this answer's reasoning; take it out with"
                " `--reasoning strip`, or learn the last answer only",
                number,
            )
            if is_learned
            else None
        )
    if role == "system":
        return Finding("system_dropped", "the model's template leaves it out (system)", number)
    what = "a call of a function in it" if word.part == "call" else f"it ({role})"
    return Finding("message_dropped", f"the model's template leaves out {what}", number)


def _say_mask(word: _Word, role: str, is_inside: bool, *, is_learned: bool) -> Iterator[Finding]:  # noqa: FBT001
    number = word.message + 1
    if is_inside and not is_learned:
        yield Finding("mask_on_prompt", f"its words ({role}) would be learned", number)
    if is_learned and not is_inside:
        sentence = "the model's template does not mark it as said by the model"
        yield Finding("answer_outside_mask", sentence, number)
