"""Which rows a run takes: its loss decides between conversations and pairs of answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from twinkle_jupyter.datasets.layouts import is_only_preference
from twinkle_jupyter.datasets.preferences import Preference, check_preferences
from twinkle_jupyter.datasets.record_checks import Record, check_records
from twinkle_jupyter.datasets.records import (
    LoadedRecords,
    Purpose,
    load_preferences,
    load_records,
    place_rows,
)

#: What a run trains on.
RunRows: TypeAlias = "LoadedRecords[Record] | LoadedRecords[Preference]"

PREFERENCE_LOSSES = frozenset(("dpo",))


def load_rows(source: object, loss: str, name: str = "") -> RunRows:
    """Read the rows that a run of this loss trains on; see `load_records`, also for what it raises.

    Args:
        source: Of any kind that `load_records` takes.
        loss: The run's.
        name: What messages call the source; a path calls itself.
    """
    if loss in PREFERENCE_LOSSES:
        return load_preferences(source, name)
    return load_records(source, name)


def guess_loss(source: object, name: str = "") -> str:
    """Return the loss that data are for, by their first row; what can be read once is not read.

    Raises:
        InvalidDataError: There is no row.
    """
    if isinstance(source, Iterator):
        return "cross_entropy"
    _, rows = place_rows(source, name)
    row = getattr(next(rows, None), "value", None)
    return "dpo" if isinstance(row, Mapping) and is_only_preference(row) else "cross_entropy"


def purpose_of(loss: str) -> Purpose | None:
    """Return what rows must be for this loss; None where a look at them may find either."""
    return "preferences" if loss in PREFERENCE_LOSSES else None


def kind_of_rows(loss: str) -> Purpose:
    """Return what rows must be for this loss."""
    return "preferences" if loss in PREFERENCE_LOSSES else "conversations"


def check_rows(records: object, loss: str) -> Sequence[Mapping[str, object]]:
    """Return rows from outside, now known to be what a run of this loss can learn from.

    Raises:
        InvalidDataError: They are not; names the first five faults, and the count of all.
    """
    return check_preferences(records) if loss in PREFERENCE_LOSSES else check_records(records)
