"""What a cell of a table holds, as JSON has it.

Tables have arrays for lists, and write each object of a column with the fields of all its objects.
CSV has text for everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

#: How a list of messages begins, as JSON and as Python's own text.
_BEGINNING = re.compile(r"""\s*\[\s*\{\s*(['"])(?:role|content|from|value)\1\s*:""")
_SPEAKER = re.compile(r"""(['"])(?:role|from)\1\s*:""")
_WORDS = re.compile(r"""(['"])(?:content|value)\1\s*:""")


def plain(value: object, *, is_filled: bool = False) -> object:
    """Return a value with lists for arrays, at any depth, and without fields that a table added.

    Args:
        value: Of a row, or a row.
        is_filled: Whether objects in it have null for fields that they have not got. In an array
            they do: it comes from a table.

    Raises:
        RecursionError: It is nested too deeply.
    """
    if isinstance(value, Mapping):
        fields = {name: plain(inner, is_filled=is_filled) for name, inner in value.items()}
        return {name: inner for name, inner in fields.items() if not (is_filled and inner is None)}
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        value, is_filled = to_list(), True
    if isinstance(value, list | tuple):
        return [plain(inner, is_filled=is_filled) for inner in value]
    return value


def plain_row(row: Mapping[str, object], *, is_filled: bool) -> dict[str, object]:
    """Return a row whose values are plain; what is null in the row itself stays; see `plain`."""
    return {name: plain(value, is_filled=is_filled) for name, value in row.items()}


def fills_objects(source: object) -> bool:
    """Whether the rows of a table, read one by one, have objects with the fields of all.

    A DataFrame of pandas has them in arrays, unless its columns are Arrow's.
    """
    if hasattr(source, "features"):  # of `datasets`
        return True
    if not hasattr(source, "columns"):
        return False
    kinds = getattr(source, "dtypes", ())
    has_arrow = isinstance(kinds, Iterable) and any(hasattr(k, "pyarrow_dtype") for k in kinds)
    return has_arrow or not hasattr(source, "iloc")


def parsed(value: object) -> object:
    """Return what a text is as JSON; what is none stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def parsed_messages(value: object) -> object:
    """Return a list of messages that is JSON as text; other text says what it says."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    found = parsed(value)
    is_talk = isinstance(found, list) and found and all(_is_message(one) for one in found)
    return found if is_talk else value


def is_broken_messages(value: object) -> bool:
    """Whether a text begins like a list of messages and is no JSON, as Python writes lists."""
    if not isinstance(value, str) or not _BEGINNING.match(value):
        return False
    if not (_SPEAKER.search(value) and _WORDS.search(value)):
        return False
    try:
        # Words may follow: then the list is something that they speak of.
        json.JSONDecoder().raw_decode(value.lstrip())
    except (ValueError, RecursionError):
        return True
    return False


def _is_message(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    return {"from", "value"} <= value.keys() or (
        "role" in value and bool({"content", "tool_calls"} & value.keys())
    )
