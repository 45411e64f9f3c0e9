"""How every backend writes a row: JSON in one line, and nothing that JSON does not have."""

from __future__ import annotations

import json
from typing import cast

from twinkle_jupyter.store.interface import Row


def dump_row(row: Row) -> str:
    """Return the row as text; raises ValueError for a number that is none.

    The same row, with its fields in the same order, gives the same text.
    """
    return json.dumps(row, allow_nan=False, separators=(",", ":"))


def load_row(text: str | bytes) -> Row:
    """Return the row that was written."""
    return cast("Row", json.loads(text))
