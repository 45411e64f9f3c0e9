"""Where the tokens of packed rows lie, beginnings that rows have in common only once.

Rows of one adapter that begin alike (the same system prompt, one prompt with several answers) have
the same hidden states there: causal attention looks back only. So these tokens go through the
linear layers once, and each row's attention reads them where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Beginnings are shared if this part of all tokens is saved; less is not worth gathering rows.
_LEAST_SAVED = 0.05


@dataclass(frozen=True, slots=True)
class RowPlaces:
    """One row of a packed batch."""

    #: (n,) place of each of its tokens in the batch.
    places: tuple[int, ...]
    #: So many first ones are another row's, which lies before it.
    num_shared: int

    @property
    def length(self) -> int:
        """Number of tokens, n."""
        return len(self.places)


def place_rows(
    rows: Sequence[tuple[int, ...]], owners: Sequence[int], *, may_share: bool
) -> list[RowPlaces]:
    """Place rows of token ids one after the other, each owner's together.

    An owner's rows lie the same way whoever else is in the batch.

    Args:
        rows: Token ids.
        owners: Whose each row is: only rows of one owner share. Those of one are neighbours.
        may_share: Whether beginnings may be shared at all.
    """
    indexes_of: dict[int, list[int]] = {}
    for index, owner in enumerate(owners):
        indexes_of.setdefault(owner, []).append(index)
    placed: dict[int, RowPlaces] = {}
    start = 0
    for indexes in indexes_of.values():
        own_rows = [rows[index] for index in indexes]
        own = _place(own_rows, start, is_shared=may_share and _is_worth_it(own_rows))
        placed.update(zip(indexes, own, strict=True))
        start += sum(row.length - row.num_shared for row in own)
    return [placed[index] for index in range(len(rows))]


def _is_worth_it(rows: Sequence[tuple[int, ...]]) -> bool:
    in_order = sorted(rows)
    num_saved = sum(map(_count_common, in_order, in_order[1:]))
    return num_saved >= _LEAST_SAVED * sum(map(len, rows)) and num_saved > 0


def _place(rows: Sequence[tuple[int, ...]], start: int, *, is_shared: bool) -> list[RowPlaces]:
    order = list(range(len(rows)))
    if is_shared:
        # Neighbours in the order of a dictionary have the longest beginnings in common.
        order.sort(key=lambda index: rows[index])
    placed: dict[int, RowPlaces] = {}
    before: int | None = None
    for index in order:
        num_shared = 0
        places: tuple[int, ...] = ()
        if is_shared and before is not None:
            num_shared = _count_common(rows[before], rows[index])
            places = placed[before].places[:num_shared]
        end = start + len(rows[index]) - num_shared
        placed[index] = RowPlaces((*places, *range(start, end)), num_shared)
        start, before = end, index
    return [placed[index] for index in range(len(rows))]


def _count_common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    return next(index for index in range(length) if one[index] != other[index])
