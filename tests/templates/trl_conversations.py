"""Conversations that every chat template can write, drawn by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

Conversation = list[dict[str, object]]

#: Two letters never begin or end with white space, which only some templates keep.
WORDS = st.text(
    st.characters(
        codec="utf-8", exclude_characters="<|\uff5c>[]{}", exclude_categories=("Cc", "Cs")
    ),
    min_size=1,
    max_size=12,
).map(lambda text: f"a{text}z")


@st.composite
def conversations(draw: st.DrawFn, max_turns: int = 3) -> Conversation:
    """One to `max_turns` questions with their answers."""
    return [
        {"role": role, "content": draw(WORDS)}
        for _ in range(draw(st.integers(1, max_turns)))
        for role in ("user", "assistant")
    ]
