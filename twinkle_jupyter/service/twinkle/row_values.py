"""Numbers that go with rows of tokens, brought to one for each position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.service.twinkle.inputs import TokenRow


def align(values: JsonValue, rows: Sequence[TokenRow], name: str) -> list[tuple[float, ...]]:
    """Return (T,) numbers for each row; 0 where nothing is learned.

    A row's own may be one number for all of its positions, one for each that is learned, or one for
    each of its tokens and of the padding behind them.

    Raises:
        InvalidDataError: They are none of this; names the row.
    """
    if not isinstance(values, list) or len(values) != len(rows):
        count = len(values) if isinstance(values, list) else "no list"
        raise InvalidDataError(f"{name} has {count} for {len(rows)} rows.")
    return [
        _align_row(value, row, f"{name}[{i}]")
        for i, (value, row) in enumerate(zip(values, rows, strict=True))
    ]


def _align_row(value: JsonValue, row: TokenRow, name: str) -> tuple[float, ...]:
    numbers = value if isinstance(value, list) else [value]
    if not all(isinstance(one, int | float) for one in numbers):
        raise InvalidDataError(f"{name} is not made of numbers.")
    given = [float(cast("float", one)) for one in numbers]
    places, size = row.places, len(row.tokens)
    if len(given) == 1:
        chosen = given * len(places)
    elif len(given) == len(places):
        chosen = given
    elif len(given) >= size:
        chosen = [given[place] for place in places]
    else:
        raise InvalidDataError(
            f"{name} has {len(given)} numbers; the row has {len(places)} labels and {size} tokens.",
            "Give one number for all, one a label, or one a token.",
        )
    aligned = [0.0] * size
    for place, number in zip(places, chosen, strict=True):
        aligned[place] = number
    return tuple(aligned)
