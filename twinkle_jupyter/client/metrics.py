"""A run's events as a table: one row a step, with the eval loss of that step where there is one.

What a loss says beside itself has a column each, such as `accuracy` of dpo, and `eval_accuracy`.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast
from uuid import uuid4

from twinkle_jupyter.errors import ConflictError, InvalidConfigError, MissingDependencyError
from twinkle_jupyter.store.interface import JSON, Row

if TYPE_CHECKING:
    import pandas as pd

    Table: TypeAlias = "pd.DataFrame | list[dict[str, JSON]]"

_NO_COLUMN = frozenset(("kind", "metrics"))
#: Endings of files that metrics are written to.
FILE_KINDS = (".csv", ".jsonl", ".parquet")


def metric_rows(entries: Iterable[Row]) -> list[dict[str, JSON]]:
    """Return a row for each step, in order."""
    rows: dict[object, dict[str, JSON]] = {}
    evals: dict[object, dict[str, JSON]] = {}
    for entry in entries:
        if entry["kind"] == "step":
            row = {name: value for name, value in entry.items() if name not in _NO_COLUMN}
            rows[entry["step"]] = {**row, "tokens_per_second": _rate(entry), "eval_loss": None}
            rows[entry["step"]] |= _metrics(entry)
        elif entry["kind"] == "eval":
            evals[entry["step"]] = {"eval_loss": entry["loss"], **_metrics(entry, "eval_")}
    for step, told in evals.items():
        if step in rows:
            rows[step] |= told
    return list(rows.values())


def as_table(rows: Sequence[Mapping[str, JSON]]) -> Table:
    """Return a DataFrame if pandas is there, else the rows."""
    if importlib.util.find_spec("pandas") is None:
        return [dict(row) for row in rows]
    import pandas as pd

    return pd.DataFrame([dict(row) for row in rows])


def write_rows(rows: Sequence[Mapping[str, JSON]], path: Path) -> None:
    """Write rows into a new file, of the kind that its ending says, whole or not at all.

    Raises:
        InvalidConfigError: The ending is another one, or nothing can be written there.
        ConflictError: There is something already.
        MissingDependencyError: Parquet without `pyarrow`.
    """
    if path.suffix not in FILE_KINDS:
        kinds = ", ".join(FILE_KINDS)
        raise InvalidConfigError(f"`{path.name}` ends with none of {kinds}.")
    if path.exists():
        raise ConflictError(f"`{path}` is there already.", "Name a file that is not.")
    draft = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(_encode(rows, path.suffix))
        draft.replace(path)
    except OSError as error:
        raise InvalidConfigError(f"`{path}` cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _encode(rows: Sequence[Mapping[str, JSON]], suffix: str) -> bytes:
    if suffix == ".parquet":
        return _encode_parquet(rows)
    if suffix == ".jsonl":
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _encode_parquet(rows: Sequence[Mapping[str, JSON]]) -> bytes:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependencyError(
            "Writing Parquet needs the package `pyarrow`.", "Install it: `pip install pyarrow`."
        ) from error
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows]), buffer)
    return buffer.getvalue()


def _metrics(entry: Row, prefix: str = "") -> dict[str, JSON]:
    metrics = cast("Mapping[str, JSON]", entry.get("metrics", {}))
    return {f"{prefix}{name}": value for name, value in metrics.items()}


def _rate(entry: Row) -> float:
    seconds = cast("float", entry["seconds"])
    return cast("int", entry["num_tokens"]) / seconds if seconds > 0 else 0.0
