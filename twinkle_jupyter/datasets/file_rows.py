"""Rows of a data file, each with the place where a person finds it again.

What cannot be read becomes a fault with its place, so that all of a file's faults are told at once.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from twinkle_jupyter.errors import NOTHING_STARTED, InvalidDataError, MissingDependencyError

_MAX_START = 30
#: Characters of a cell of CSV, so that a quote that is never closed does not take all memory.
_MAX_CELL = 1 << 26
#: Rows of a Parquet file in memory at once.
_PARQUET_ROWS = 512


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """One row as it was read: either a value, or a fault that begins with its place."""

    #: "line 7" of a file with a row a line, "row 7" elsewhere.
    place: str
    value: object = None
    fault: str = ""
    #: Whether objects in it have null for fields that they have not got, as those of a table do.
    is_filled: bool = False


def read_file_rows(path: Path, name: str) -> Iterator[PlacedRow]:
    """Read JSONL, a JSON array, CSV, TSV or Parquet, told apart by the ending and the content.

    A row at a time, but for a JSON array: a file of any size takes no more memory than its longest
    row.

    Args:
        path: The file.
        name: The file as the user wrote it, for messages.

    Raises:
        InvalidDataError: While it is read: the file as a whole cannot be read, or is empty.
        MissingDependencyError: Parquet without `pyarrow`.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        yield from _read_parquet(path, name)
        return
    if ending not in ("", ".json", ".jsonl", ".ndjson", ".txt", ".csv", ".tsv"):
        raise InvalidDataError(
            f"`{name}` ends in `{path.suffix}`, which is not one of .jsonl, .json, .csv, .tsv and"
            " .parquet.",
            NOTHING_STARTED,
        )
    first = next((line for line in _read_lines(path, name) if line.strip()), "")
    if not first:
        raise InvalidDataError(f"`{name}` is empty.", NOTHING_STARTED)
    if ending in (".csv", ".tsv"):
        yield from _read_csv(_read_lines(path, name), name, "\t" if ending == ".tsv" else ",")
    elif _is_one_value(first, ending):
        yield from _read_json("".join(_read_lines(path, name)), name)
    else:
        for number, line in enumerate(_read_lines(path, name), start=1):
            if line.strip():
                yield _read_json_line(line.rstrip("\n"), number)


def describe_file(path: Path) -> str:
    """Name the kind of file for people, by its ending and its first line."""
    ending = path.suffix.lower()
    if ending in (".parquet", ".csv", ".tsv"):
        return {".parquet": "Parquet", ".csv": "CSV", ".tsv": "TSV"}[ending]
    first = next((line for line in _read_lines(path, str(path)) if line.strip()), "")
    return "a JSON array" if _is_one_value(first, ending) else "JSON Lines"


def _read_lines(path: Path, name: str) -> Iterator[str]:
    """Yield the lines, each with its line feed. Only that ends one: JSON may hold U+2028."""
    offset = 0
    try:
        with path.open("rb") as file:
            for raw in file:
                # Windows tools put a byte order mark in front.
                yield raw.decode("utf-8-sig" if offset == 0 else "utf-8")
                offset += len(raw)
    except UnicodeDecodeError as error:
        raise InvalidDataError(
            f"`{name}` is not UTF-8 text: byte {offset + error.start + 1} cannot be read.",
            NOTHING_STARTED,
        ) from error
    except OSError as error:
        raise InvalidDataError(
            f"`{name}` cannot be read: {(error.strerror or 'unknown reason').lower()}.",
            NOTHING_STARTED,
        ) from error


def _is_one_value(first: str, ending: str) -> bool:
    """Tell a JSON array or object over many lines from one that ends with its line."""
    return first.lstrip().startswith("[") or (ending == ".json" and not _is_json(first.strip()))


def _read_json(text: str, name: str) -> Iterator[PlacedRow]:
    try:
        value = json.loads(text)
    except ValueError as error:
        yield _json_fault(error, text.split("\n"))
        return
    except RecursionError as error:
        raise InvalidDataError(f"`{name}` is nested too deeply.", NOTHING_STARTED) from error
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows, start=1):
        yield PlacedRow(f"row {number}", row)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
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


def _read_csv(lines: Iterable[str], name: str, separator: str) -> Iterator[PlacedRow]:
    # Of the process, and more than Python's own 128 KiB, which one long answer exceeds.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL))
    reader = csv.DictReader(lines, delimiter=separator, strict=True)
    number = 0
    try:
        for number, row in enumerate(reader, start=1):
            place = f"row {number}"
            # DictReader files surplus values under None, and fills missing ones with None.
            if None in row:
                yield PlacedRow(place, fault=f"{place} has more values than the header")
            elif None in row.values():
                yield PlacedRow(place, fault=f"{place} has fewer values than the header")
            else:
                yield PlacedRow(place, dict(row))
    except csv.Error as error:
        place = f"line {reader.line_num}"
        yield PlacedRow(place, fault=f"{place} is not CSV: {error}")
        return
    if not number:
        raise InvalidDataError(f"`{name}` has a header and no rows.", NOTHING_STARTED)


def _read_parquet(path: Path, name: str) -> Iterator[PlacedRow]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading `{name}` needs the package `pyarrow`.", "Install it: `pip install pyarrow`."
        ) from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield PlacedRow(f"row {number}", row, is_filled=True)
    except (ArrowException, OSError, ValueError) as error:
        raise InvalidDataError(f"`{name}` is not a Parquet file.", NOTHING_STARTED) from error
    if not number:
        raise InvalidDataError(f"`{name}` is empty.", NOTHING_STARTED)
