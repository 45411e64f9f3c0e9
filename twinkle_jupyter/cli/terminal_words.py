"""Sentences that were written for a notebook, as a terminal says them."""

from __future__ import annotations

import re

_MAGIC = re.compile(r"%{1,2}twinkle\b")


def as_typed(text: str) -> str:
    """Write `%twinkle` and `%%twinkle` as the command that a terminal knows."""
    return _MAGIC.sub("twinkle", text)
