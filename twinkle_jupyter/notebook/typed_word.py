"""The word before the cursor, of which quotation marks and backslashes are a part."""

from __future__ import annotations

import re
from dataclasses import dataclass

from twinkle_jupyter.notebook.arguments import split_line

#: As `split_line` reads it: what a backslash is before, and what is between quotation marks.
_PIECE = r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\]"""
_LAST_WORD = re.compile(
    rf"""\s*(?:(?:{_PIECE})+\s+)*"""
    rf"""(?P<raw>(?:{_PIECE})*(?:(?P<single>'[^']*)|(?P<double>"(?:\\.|[^"\\])*))?\\?)""",
    re.DOTALL,
)
_TO_ESCAPE = re.compile(r"[\s'\"\\]")
_TO_ESCAPE_IN_QUOTES = re.compile(r"[\"\\]")


@dataclass(frozen=True, slots=True)
class TypedWord:
    """A word that is being typed."""

    #: As the line has it.
    raw: str
    #: What it says.
    said: str
    #: The quotation mark that it has open; empty where none is.
    quote: str = ""

    def write(self, text: str) -> str:
        """Return what stands in the line once the word says `text`; an open mark stays open."""
        if self.quote == "'" and "'" not in text:
            return f"'{text}"
        if self.quote == '"':
            return '"' + _TO_ESCAPE_IN_QUOTES.sub(r"\\\g<0>", text)
        return _TO_ESCAPE.sub(r"\\\g<0>", text)


def read_typed(line: str) -> tuple[list[str], TypedWord]:
    """Return the words before the last one, and that one; it is empty after white space."""
    found = _LAST_WORD.fullmatch(line)
    # Every line has a last word, if only an empty one.
    assert found is not None  # noqa: S101
    raw, quote = found["raw"], "'" if found["single"] else '"' if found["double"] else ""
    # Nothing follows yet that a backslash could stand before.
    is_escape = raw.endswith("\\") and quote != "'" and (len(raw) - len(raw.rstrip("\\"))) % 2
    said = split_line((raw[:-1] if is_escape else raw) + quote)
    return split_line(line[: len(line) - len(raw)]), TypedWord(raw, "".join(said), quote)
