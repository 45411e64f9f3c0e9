"""Where an answer ends does not depend on how it comes in pieces."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.service.stop_texts import StopTexts

LETTERS = st.text("abc", max_size=30)
STOPS = st.lists(st.text("abc", min_size=1, max_size=4), max_size=4)


def _tell(stops: list[str], pieces: list[str]) -> tuple[str, bool]:
    cutter = StopTexts(stops)
    told = "".join(map(cutter.feed, pieces))
    return told + cutter.rest(), cutter.has_ended


@given(LETTERS, STOPS, st.lists(st.integers(0, 30)))
def test_pieces_give_what_the_whole_text_gives(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    ends = sorted({0, len(text), *(cut for cut in cuts if cut <= len(text))})
    pieces = [text[start:end] for start, end in pairwise(ends)]
    told, has_ended = _tell(stops, pieces)
    assert (told, has_ended) == _tell(stops, list(text)) == _tell(stops, [text])
    assert text.startswith(told)
    assert has_ended is any(stop in text for stop in stops)
    assert not any(stop in told for stop in stops)
    if has_ended:
        assert any(text[len(told) :].startswith(stop) for stop in stops)
    else:
        assert told == text


def test_what_may_become_a_stop_text_is_held_back() -> None:
    cutter = StopTexts(["</end>"])
    assert cutter.feed("Aye.</e") == "Aye."
    assert cutter.feed("lse") == "</else"
    assert cutter.feed(" </end> more") == " "
    assert cutter.feed("nothing after it") == ""
    assert cutter.rest() == ""
