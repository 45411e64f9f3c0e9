"""Rows of a data file, each with the place where a person finds it again.

What cannot be read becomes a fault with its place, so that all of a file's faults are told at once.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

from twinkle_jupyter.errors import NOTHING_STARTED, InvalidDataError, MissingDependencyError

_MAX_START = 30


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """One row as it was read: either a value, or a fault that begins with its place."""

    #: "line 7" of a file with a row a line, "row 7" elsewhere.
    place: str
    value: object = None
    fault: str = ""


def read_file_rows(path: Path, name: str) -> list[PlacedRow]:
    """Read JSONL, a JSON array, CSV, TSV or Parquet, told apart by the ending and the content.

    Args:
        path: The file.
        name: The file as the user wrote it, for messages.

    Raises:
        InvalidDataError: The file as a whole cannot be read, or is empty.
        MissingDependencyError: Parquet without `pyarrow`.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        return _read_parquet(path, name)
    if ending not in ("", ".json", ".jsonl", ".ndjson", ".txt", ".csv", ".tsv"):
        raise InvalidDataError(
            f"`{name}` ends in `{path.suffix}`, which is not one of .jsonl, .json, .csv, .tsv and"
            " .parquet.",
            NOTHING_STARTED,
        )
    text = _read_text(path, name)
    if not text.strip():
        raise InvalidDataError(f"`{name}` is empty.", NOTHING_STARTED)
    if ending in (".csv", ".tsv"):
        return _read_csv(text, name, "\t" if ending == ".tsv" else ",")
    return _read_json(text, ending)


def _read_text(path: Path, name: str) -> str:
    try:
        # Windows tools put a byte order mark in front.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDataError(
            f"`{name}` is not UTF-8 text: byte {error.start + 1} cannot be read.", NOTHING_STARTED
        ) from error
    except OSError as error:
        raise InvalidDataError(
            f"`{name}` cannot be read: {(error.strerror or 'unknown reason').lower()}.",
            NOTHING_STARTED,
        ) from error


def _read_json(text: str, ending: str) -> list[PlacedRow]:
    if text.lstrip().startswith("[") or (ending == ".json" and not _is_json(_first_line(text))):
        try:
            value = json.loads(text)
        except ValueError as error:
            return [_json_fault(error, text.split("\n"))]
        rows = value if isinstance(value, list) else [value]
        return [PlacedRow(f"row {i}", row) for i, row in enumerate(rows, start=1)]
    # Not splitlines(): JSON text may hold other line separators, such as U+2028.
    lines = text.split("\n")
    return [
        _read_json_line(line, number) for number, line in enumerate(lines, start=1) if line.strip()
    ]


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _read_json_line(line: str, number: int) -> PlacedRow:
    try:
        return PlacedRow(f"line {number}", json.loads(line))
    except ValueError as error:
        return _json_fault(error, [line], number)
    except RecursionError:
        return PlacedRow(f"line {number}", fault=f"line {number} is nested too deeply")


def _json_fault(error: ValueError, lines: list[str], number: int = 1) -> PlacedRow:
    """Place a JSON error; `lines` begins with line `number` of the file."""
    row, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
    reason = getattr(error, "msg", str(error))
    line = lines[row - 1].strip() if row <= len(lines) else ""
    start = line if len(line) <= _MAX_START else f"{line[:_MAX_START]}…"
    place = f"line {number + row - 1}"
    reason = reason[:1].lower() + reason[1:]
    return PlacedRow(
        place, fault=f"{place} is not JSON: {reason} at column {column}; it begins with `{start}`"
    )


def _read_csv(text: str, name: str, separator: str) -> list[PlacedRow]:
    reader = csv.DictReader(io.StringIO(text), delimiter=separator, strict=True)
    rows = []
    try:
        for number, row in enumerate(reader, start=1):
            place = f"row {number}"
            # DictReader files surplus values under None, and fills missing ones with None.
            if None in row:
                rows.append(PlacedRow(place, fault=f"{place} has more values than the header"))
            elif None in row.values():
                rows.append(PlacedRow(place, fault=f"{place} has fewer values than the header"))
            else:
                rows.append(PlacedRow(place, dict(row)))
    except csv.Error as error:
        place = f"line {reader.line_num}"
        rows.append(PlacedRow(place, fault=f"{place} is not CSV: {error}"))
    if not rows:
        raise InvalidDataError(f"`{name}` has a header and no rows.", NOTHING_STARTED)
    return rows


def _read_parquet(path: Path, name: str) -> list[PlacedRow]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading `{name}` needs the package `pyarrow`.", "Install it: `pip install pyarrow`."
        ) from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        raise InvalidDataError(f"`{name}` is not a Parquet file.", NOTHING_STARTED) from error
    if not rows:
        raise InvalidDataError(f"`{name}` is empty.", NOTHING_STARTED)
    return [PlacedRow(f"row {i}", row) for i, row in enumerate(rows, start=1)]
