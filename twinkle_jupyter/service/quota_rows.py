"""Rows in which quotas are counted: requests, tokens, and places held for adapters."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote

from twinkle_jupyter.service.sliding_window import Slots
from twinkle_jupyter.store.interface import Row

#: Tokens of each piece of work that is under way, and when it is given up as lost.
Queue = dict[str, tuple[int, float]]


def row_key(kind: str, owner: str) -> str:
    """Where a user's row of this kind is kept."""
    return f"quota/{kind}/{quote(owner, safe='')}"


def slots_of(row: Row | None) -> Slots:
    """Return what was counted."""
    return cast("Slots", row["slots"]) if row is not None else {}


def queued_of(row: Row | None, now: float) -> Queue:
    """Return what is under way."""
    queued = cast("dict[str, list[float]]", row["queued"]) if row is not None else {}
    return {work: (int(n), until) for work, (n, until) in queued.items() if until > now}


def token_row(slots: Slots, queued: Queue) -> Row:
    """Return both as JSON."""
    return {"slots": slots, "queued": {work: list(held) for work, held in queued.items()}}


def held_of(row: Row | None, now: float) -> list[Row]:
    """Return the places that are held, oldest first."""
    places = cast("list[Row]", row["held"]) if row is not None else []
    return [place for place in places if cast("float", place["until"]) > now]
