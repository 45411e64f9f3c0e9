"""Calls are told from text in whatever pieces an answer comes; what is no call stays text."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.service.openai.call_reader import Call, CallReader, Part

PARIS = '{"name": "weather", "arguments": {"city": "Paris ☠"}}'
TAGGED = f"<tool_call>\n{PARIS}\n</tool_call>"
CALL = Call("weather", '{"city": "Paris ☠"}')
ANSWERS: list[tuple[str, str, list[Call]]] = [
    ("Hello.\n", "Hello.\n", []),
    (TAGGED, "", [CALL]),
    (f"Let me see. \n{TAGGED}\n\n{TAGGED}\n", "Let me see.", [CALL, CALL]),
    (f"One {TAGGED} and then more words.", "One and then more words.", [CALL]),
    # Without its end, with its end and no call in it, and a beginning of a mark that is none.
    (f"<tool_call>{PARIS}", "", [CALL]),
    ("<tool_call>{oh no}</tool_call> yes", "<tool_call>{oh no}</tool_call> yes", []),
    ("a <tool_ b <tool_call", "a <tool_ b <tool_call", []),
    # Bare, as Llama 3 writes it; several at once; arguments as text.
    ('\n{"name": "weather", "parameters": {"city": "Paris ☠"}}', "", [CALL]),
    (f"{PARIS}; {PARIS}", "", [CALL, CALL]),
    (f"[{PARIS}, {PARIS}]", "", [CALL, CALL]),
    ('{"name": "weather", "arguments": "{}"}', "", [Call("weather", "{}")]),
    # JSON that calls nothing is an answer.
    ('{"name": "Anna", "age": 5}', '{"name": "Anna", "age": 5}', []),
    (f"{PARIS} is it", f"{PARIS} is it", []),
    ('{"name": "weather", "arguments": 5}', '{"name": "weather", "arguments": 5}', []),
    ("[" * 5000, "[" * 5000, []),
    ("", "", []),
]


def _read(pieces: list[str], max_calls: int | None = None) -> tuple[str, list[Call]]:
    reader, parts = CallReader({"weather"}, max_calls), list[Part]()
    for piece in pieces:
        parts += reader.feed(piece)
    parts += reader.rest()
    assert reader.num_calls == sum(isinstance(part, Call) for part in parts)
    text = "".join(part for part in parts if isinstance(part, str))
    return text, [part for part in parts if isinstance(part, Call)]


@pytest.mark.parametrize(("answer", "text", "calls"), ANSWERS)
def test_an_answer_is_what_it_says_and_what_it_calls(
    answer: str, text: str, calls: list[Call]
) -> None:
    assert _read([answer]) == (text, calls)
    assert _read(list(answer)) == (text, calls)


@given(
    parts=st.lists(st.sampled_from([TAGGED, PARIS, "<tool_call>", " ", "\n", "a b", "{", "<"])),
    cuts=st.lists(st.integers(0, 300)),
)
def test_the_pieces_do_not_matter(parts: list[str], cuts: list[int]) -> None:
    answer = "".join(parts)
    places = [0, *sorted({min(cut, len(answer)) for cut in cuts}), len(answer)]
    pieces = [answer[a:b] for a, b in itertools.pairwise(places)]
    assert _read(pieces) == _read([answer])


def test_further_calls_are_left_out() -> None:
    text, calls = _read([f"{TAGGED} {TAGGED} and"], max_calls=1)
    assert (text, calls) == ("and", [CALL])
    assert json.loads(calls[0].arguments) == {"city": "Paris ☠"}
