"""What a client trains on: rows of tokens as they are, or conversations, as examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidDataError

#: A label that is not learned.
IGNORED = -100
Feature = Mapping[str, JsonValue]
_SEVERAL = ("input_ids", "labels", "attention_mask", "position_ids", "completion_mask")


@dataclass(frozen=True, slots=True)
class TokenRow:
    """Tokens of one row, and which token is to be learned after each."""

    #: (T,).
    tokens: tuple[int, ...]
    #: (T,) the token that follows position i, or `IGNORED`.
    labels: tuple[int, ...]

    @property
    def places(self) -> list[int]:
        """Positions that are learned."""
        return [place for place, label in enumerate(self.labels) if label != IGNORED]

    def padded(self, length: int) -> TokenRow:
        """Return it with ignored positions up to this length."""
        missing = length - len(self.tokens)
        return replace(self, labels=self.labels + (IGNORED,) * missing)


def list_rows(inputs: JsonValue) -> list[Feature]:
    """Return one object a row, whether `inputs` is one, a list, or a batch in columns.

    Raises:
        InvalidDataError: It is none of these, or empty.
    """
    rows: list[Feature] = []
    for item in inputs if isinstance(inputs, list) else [inputs]:
        if isinstance(item, list):
            rows += list_rows(item)
        elif isinstance(item, dict):
            rows += _split_columns(item)
        else:
            raise InvalidDataError(
                f"inputs[{len(rows)}] is neither a conversation nor a row with input_ids."
            )
    if not rows:
        raise InvalidDataError("inputs is empty.", "Look at what the data loader hands out.")
    return rows


def is_encoded(row: Feature) -> bool:
    """Whether it is tokens already."""
    return "input_ids" in row


def read_feature(row: Feature, name: str) -> list[TokenRow]:
    """Read a row of tokens; one that is packed is several.

    Raises:
        InvalidDataError: Its fields do not fit one another.
    """
    tokens = read_ints(row.get("input_ids"), f"{name}.input_ids")
    labels = read_ints(row["labels"], f"{name}.labels") if row.get("labels") is not None else None
    labels = labels if labels is not None else [IGNORED] * len(tokens)
    mask = row.get("attention_mask")
    kept = read_ints(mask, f"{name}.attention_mask") if mask is not None else [1] * len(tokens)
    places = row.get("position_ids")
    positions = read_ints(places, f"{name}.position_ids") if places is not None else []
    for what, values in (("labels", labels), ("attention_mask", kept)):
        if len(values) != len(tokens):
            raise InvalidDataError(
                f"{name} has {len(tokens)} input_ids and {len(values)} {what}.",
                "labels[i] is the token that follows input_ids[i], or -100.",
            )
    if row.get("images") or row.get("videos"):
        raise InvalidDataError(f"{name} has images or videos; models here read text.")
    # Where the positions begin anew, a packed row has its next one.
    starts = [
        i for i in range(len(tokens)) if len(positions) == len(tokens) and i and not positions[i]
    ]
    found = []
    for first, last in zip([0, *starts], [*starts, len(tokens)], strict=True):
        chosen = [i for i in range(first, last) if kept[i]]
        if chosen:
            row_tokens = tuple(tokens[i] for i in chosen)
            found.append(TokenRow(row_tokens, tuple(labels[i] for i in chosen)))
    return found


def read_ints(value: JsonValue, name: str) -> list[int]:
    """Return a list of whole numbers; raises InvalidDataError for anything else."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list) or not all(type(one) in (int, bool) for one in value):
        raise InvalidDataError(f"{name} is not a list of whole numbers.")
    return [int(cast("int", one)) for one in value]


def as_feature(tokens: Sequence[int], labels: Sequence[int]) -> dict[str, JsonValue]:
    """Return a row as clients hold it; `labels` as in `TokenRow`."""
    return {
        "input_ids": list(tokens),
        "labels": list(labels),
        "attention_mask": [1] * len(tokens),
        "position_ids": list(range(len(tokens))),
        "length": len(tokens),
    }


def shift(labels: Iterable[int]) -> tuple[int, ...]:
    """Move (T,) labels of each token to the position before it; the last one has none."""
    return (*list(labels)[1:], IGNORED)


def _split_columns(item: Feature) -> list[Feature]:
    """A batch of B rows, each field of which is a list of B lists."""
    ids = item.get("input_ids")
    if not (isinstance(ids, list) and len(ids) > 1 and all(isinstance(one, list) for one in ids)):
        return [item]
    columns = {name: item[name] for name in _SEVERAL if isinstance(item.get(name), list)}
    lengths = {name: len(cast("list[JsonValue]", column)) for name, column in columns.items()}
    if set(lengths.values()) != {len(ids)}:
        raise InvalidDataError(f"inputs is a batch whose fields differ in length: {lengths}.")
    return [
        {name: cast("list[JsonValue]", column)[i] for name, column in columns.items()}
        for i in range(len(ids))
    ]
