"""Which tokens end an answer, found by having the template write some.

A template may end a call of functions otherwise than words: gpt-oss has `<|call|>`, Gemma 4 opens
the result. A sampler that does not stop there makes the result up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.templates.message_form import Messages

_Render: TypeAlias = Callable[[Messages], str]
_Specials: TypeAlias = Callable[[str], Sequence[int]]
_QUESTION = {"role": "user", "content": "-"}
_ANSWER = "Xyzzy"
_GIVEN = ("xyzzyt", "xyzzyu")


def find_turn_ends(render: _Render, specials: _Specials) -> frozenset[int]:
    """Return the special tokens that end words and calls, if the template writes any.

    Args:
        render: Writes a conversation.
        specials: Returns the ids of the special tokens in a text, in order.
    """
    ends = specials(_tail(render, [_QUESTION, {"role": "assistant", "content": _ANSWER}], _ANSWER))
    return frozenset(ends[:1]) | _find_call_end(render, specials)


def _find_call_end(render: _Render, specials: _Specials) -> frozenset[int]:
    for words in (_GIVEN, _GIVEN[:1]):
        calls = [_call(word) for word in words]
        message = {"role": "assistant", "content": "", "tool_calls": calls}
        text = _tail(render, [_QUESTION, message], words[0])
        between, _, tail = text.rpartition(words[-1]) if len(words) > 1 else ("", "", text)
        ends = specials(tail)
        # What stands between two calls ends one of them and not the answer.
        if ends and ends[-1] not in specials(between):
            return frozenset(ends[-1:])
    return frozenset()


def _tail(render: _Render, messages: Messages, word: str) -> str:
    """Return what the template writes after a word; nothing where it leaves it out."""
    try:
        _, found, tail = render(messages).partition(word)
    except InvalidDataError:
        # A template that wants more than this of a conversation names its end in the config.
        return ""
    return tail if found else ""


def _call(word: str) -> dict[str, object]:
    function = {"name": "cast", "arguments": {"spell": word}}
    return {"id": f"call{word[-5:]}", "type": "function", "function": function}
