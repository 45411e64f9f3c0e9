"""Packed rows share beginnings within an owner and nothing else."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.engine.row_places import RowPlaces, place_rows

_row = st.lists(st.integers(0, 2), min_size=1, max_size=8).map(tuple)
_owned_rows = st.lists(st.lists(_row, min_size=1, max_size=5), min_size=1, max_size=4)


@given(_owned_rows, st.booleans())
def test_a_place_is_one_beginning_of_one_owner(
    rows_of: list[list[tuple[int, ...]]], may_share: bool
) -> None:
    owned = [(owner, row) for owner, rows in enumerate(rows_of) for row in rows]
    owners, rows = [owner for owner, _ in owned], [row for _, row in owned]
    placed = place_rows(rows, owners, may_share=may_share)
    assert [row.length for row in placed] == [len(row) for row in rows]
    beginnings: dict[int, tuple[int, tuple[int, ...]]] = {}
    for owner, row, where in zip(owners, rows, placed, strict=True):
        for index, place in enumerate(where.places):
            own = (owner, row[: index + 1])
            assert beginnings.setdefault(place, own) == own
    assert sorted(beginnings) == list(range(len(beginnings)))
    # What a row does not share is new, and lies in one piece.
    pieces = [where.places[where.num_shared :] for where in placed]
    assert all(b == a + 1 for piece in pieces for a, b in pairwise(piece))
    assert sum(map(len, pieces)) == len(beginnings)
    owner_of_place = [beginnings[place][0] for place in sorted(beginnings)]
    assert owner_of_place == sorted(owner_of_place), "an owner's tokens are neighbours"


@given(_owned_rows)
def test_where_an_owner_s_rows_lie_does_not_depend_on_others(
    rows_of: list[list[tuple[int, ...]]],
) -> None:
    together = place_rows(
        [row for rows in rows_of for row in rows],
        [owner for owner, rows in enumerate(rows_of) for _ in rows],
        may_share=True,
    )
    at = 0
    for owner, rows in enumerate(rows_of):
        alone = place_rows(rows, [owner] * len(rows), may_share=True)
        mine = together[at : at + len(rows)]
        start = min(row.places[0] for row in mine)
        moved = [RowPlaces(tuple(p - start for p in row.places), row.num_shared) for row in mine]
        assert moved == alone
        at += len(rows)


def test_one_system_prompt_is_placed_once() -> None:
    rows = [(1, 2, 3, 7, 8), (1, 2, 3, 9), (1, 2, 3, 7, 5)]
    placed = place_rows(rows, [0, 0, 0], may_share=True)
    assert [row.num_shared for row in placed] == [4, 3, 0]
    assert len({place for row in placed for place in row.places}) == 7
    apart = place_rows(rows, [0, 1, 2], may_share=True)
    assert [row.num_shared for row in apart] == [0, 0, 0]
