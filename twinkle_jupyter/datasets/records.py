"""Training data of any kind that people have, as records: conversations that can be learned from.

The standard library only, so that the kernel stays light. `record_checks.check_records` is the
check alone, for the service.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from twinkle_jupyter.datasets.field_faults import find_field_faults
from twinkle_jupyter.datasets.file_rows import PlacedRow, read_file_rows
from twinkle_jupyter.datasets.layouts import (
    Layout,
    describe_layouts,
    detect_layout,
    is_only_preference,
    is_preference,
    to_messages,
    to_tools,
)
from twinkle_jupyter.datasets.named_files import find_file, shipped_names
from twinkle_jupyter.datasets.preferences import (
    Preference,
    check_preferences,
    find_preference_faults,
    to_preference,
)
from twinkle_jupyter.datasets.record_checks import (
    Record,
    check_records,
    describe,
    find_faults,
    raise_faults,
)
from twinkle_jupyter.datasets.table_cells import fills_objects, plain_row
from twinkle_jupyter.errors import NOTHING_STARTED, InvalidDataError

__all__ = [
    "LoadedRecords",
    "check_records",
    "fingerprint",
    "load_preferences",
    "load_records",
    "shipped_names",
]

R = TypeVar("R", bound=Mapping[str, object])
#: What rows are for: conversations to learn, or pairs of answers to learn a preference of.
Purpose = Literal["conversations", "preferences"]

#: Rows of a DataFrame that are dicts at once.
_FRAME_ROWS = 1000


@dataclass(frozen=True, slots=True)
class LoadedRecords(Generic[R]):
    """Records that passed the check, and where they came from."""

    records: list[R]
    #: How the rows were laid out; of the first row, should they differ.
    layout: Layout
    #: The source as the user wrote it.
    name: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the records, as 64 hexadecimal digits."""
        return fingerprint(self.records)


def load_records(source: object, name: str = "") -> LoadedRecords[Record]:
    """Read, convert and check training data.

    Args:
        source: A path (JSONL, JSON, CSV, TSV, Parquet), the name of a shipped data set, a list of
            dicts, a DataFrame, or a `datasets` object. A file wins over a shipped name.
        name: What messages call it; a path calls itself.

    Raises:
        InvalidDataError: Nothing is there, or rows are no conversations: names the first five
            faults by line or row, and the count of all.
        MissingDependencyError: Parquet without `pyarrow`.
    """
    shown, rows = place_rows(source, name)
    layout, records = _convert(rows, shown, "conversations")
    return LoadedRecords(check_records(records, shown), layout, shown)


def load_preferences(source: object, name: str = "") -> LoadedRecords[Preference]:
    """Read, convert and check pairs of answers; from the same sources, raises as `load_records`."""
    shown, rows = place_rows(source, name)
    layout, records = _convert(rows, shown, "preferences")
    return LoadedRecords(check_preferences(records, shown), layout, shown)


def place_rows(source: object, name: str = "") -> tuple[str, Iterator[PlacedRow]]:
    """Return what messages call a source, and its rows one at a time; raises as `load_records`."""
    if isinstance(source, str | Path):
        shown = name or str(source)
        return shown, read_file_rows(find_file(source), shown)
    shown = name or "data"
    return shown, _rows_of_object(source, shown)


def fingerprint(records: Sequence[Mapping[str, object]]) -> str:
    """Return the SHA-256 of the records' canonical JSON, as 64 hexadecimal digits."""
    text = json.dumps(records, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _rows_of_object(source: object, name: str) -> Iterator[PlacedRow]:
    is_filled = fills_objects(source)
    if callable(getattr(source, "to_dict", None)) and hasattr(source, "columns"):
        source = _frame_rows(source)
    if isinstance(source, Mapping):
        raise InvalidDataError(
            f"`{name}` is one object, not a list of rows"
            + (": choose a split of it." if hasattr(source, "num_rows") else "."),
            NOTHING_STARTED,
        )
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise InvalidDataError(
            f"`{name}` is {describe(source)}, not a file, a list of rows or a DataFrame.",
            NOTHING_STARTED,
        )
    number = 0
    for number, row in enumerate(source, start=1):
        yield PlacedRow(f"row {number}", row, is_filled=is_filled)
    if not number:
        raise InvalidDataError(f"`{name}` is empty.", NOTHING_STARTED)


def _frame_rows(frame: Any) -> Iterator[object]:
    """Yield a DataFrame's rows as dicts, some at a time: of pandas, or of polars."""
    if not hasattr(frame, "iloc"):
        yield from frame.iter_rows(named=True)
        return
    for start in range(0, len(frame), _FRAME_ROWS):
        yield from frame.iloc[start : start + _FRAME_ROWS].to_dict("records")


def convert_row(
    row: PlacedRow, purpose: Purpose | None = None
) -> tuple[Layout | None, dict[str, object], list[str]]:
    """Return a row's layout, its conversation or preference, and what is wrong with it.

    Without faults it is a `Record`, or of the layout `preference` a `Preference`, to learn from.

    Args:
        row: With its place.
        purpose: What it is to be; None for what its fields say.
    """
    value, fault = _read_value(row)
    if fault:
        return None, {}, [fault]
    layout = _find_layout(value, purpose)
    if layout is None:
        return None, {}, [_say_no_layout(value, row.place, purpose)]
    if faults := find_field_faults(value, layout, row.place):
        return layout, {}, faults
    if layout == "preference":
        preference = to_preference(value)
        return layout, preference, find_preference_faults(preference, row.place)
    record: dict[str, object] = {
        "messages": to_messages(value, layout),
        "tools": to_tools(value),
    }
    return layout, record, find_faults(record, row.place)


def _read_value(row: PlacedRow) -> tuple[dict[str, object], str]:
    """Return what the row says, or why it says nothing."""
    if row.fault:
        return {}, row.fault
    if not isinstance(row.value, Mapping):
        return {}, f"{row.place} is {describe(row.value)}, not an object"
    try:
        return plain_row(row.value, is_filled=row.is_filled), ""
    except RecursionError:
        return {}, f"{row.place} is nested too deeply"


def _find_layout(row: Mapping[str, object], purpose: Purpose | None) -> Layout | None:
    if purpose == "preferences":
        return "preference" if is_preference(row) else None
    if purpose is None and is_only_preference(row):
        return "preference"
    return detect_layout(row)


def _convert(rows: Iterable[PlacedRow], name: str, purpose: Purpose) -> tuple[Layout, list[object]]:
    """Return the layout of the first row, and all rows; raises as `load_records`."""
    records: list[object] = []
    layouts: list[Layout] = []
    faults: list[str] = []
    for number, row in enumerate(rows):
        if number == 0 and isinstance(row.value, Mapping):
            _check_purpose(row.value, row.place, name, purpose)
        layout, record, wrong = convert_row(row, purpose)
        faults += wrong
        if layout is not None:
            layouts.append(layout)
            records.append(record)
    raise_faults(name, faults)
    return layouts[0], records


def _check_purpose(row: Mapping[str, object], place: str, name: str, purpose: Purpose) -> None:
    """Refuse data of the other kind as a whole, by their first row.

    Raises:
        InvalidDataError: They are; says which setting they want.
    """
    if purpose == "conversations" and is_only_preference(row):
        raise InvalidDataError(
            f"`{name}` has two answers a row to choose between, `chosen` and `rejected` ({place}).",
            f"Train on them with `--loss dpo`. {NOTHING_STARTED}",
        )
    if purpose == "preferences" and not is_preference(row) and detect_layout(row) is not None:
        raise InvalidDataError(
            f"`{name}` has conversations, and `--loss dpo` needs rows with `chosen` and `rejected`,"
            f" two answers to one prompt ({place} has {_name_fields(row)}).",
            f"Leave `--loss dpo` out to train on conversations. {NOTHING_STARTED}",
        )


def _say_no_layout(row: Mapping[str, object], place: str, purpose: Purpose | None) -> str:
    needed = describe_layouts()
    if purpose == "preferences":
        needed = "`chosen` and `rejected`, two answers to compare"
    elif purpose is None:
        needed += ", or `chosen` and `rejected`"
    return f"{place} has {_name_fields(row)}, and needs {needed}"


def _name_fields(row: Mapping[str, object]) -> str:
    names = ", ".join(f"`{name}`" for name in list(row)[:6])
    return f"the fields {names}" if names else "no fields"
