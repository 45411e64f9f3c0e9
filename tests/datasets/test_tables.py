"""Tables whose cells hold messages: what is read is what was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from twinkle_jupyter.datasets.records import load_preferences, load_records
from twinkle_jupyter.errors import InvalidDataError

ASK = {"role": "user", "content": "Rain?"}
SAY = {"role": "assistant", "content": "Yes."}


def _call(name: str, **arguments: object) -> dict[str, object]:
    call = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def _tool(name: str, argument: str) -> dict[str, object]:
    parameters = {"type": "object", "properties": {argument: {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def _part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


TOOLS = [_tool("weather", "city"), _tool("stock", "ticker")]
ROWS = [
    {"messages": [ASK, _call("weather", city="Oslo"), SAY], "tools": TOOLS},
    {"messages": [ASK, _call("stock", ticker="ACME"), SAY], "tools": TOOLS},
]


def _datasets_object(file: Path) -> object:
    """Return what iterates as an object of `datasets` does: dicts of Python, filled by Arrow."""
    rows = parquet.read_table(file).to_pylist()
    return type("Rows", (SimpleNamespace,), {"__iter__": lambda _: iter(rows)})(features={})


READERS: dict[str, Callable[[Path], object]] = {
    "a path": Path,
    "a DataFrame": pd.read_parquet,
    "Arrow's columns": lambda file: pd.read_parquet(file, dtype_backend="pyarrow"),
    "dicts of a DataFrame": lambda file: pd.read_parquet(file).to_dict("records"),
    "datasets": _datasets_object,
}


@pytest.mark.parametrize("how", READERS)
def test_calls_and_functions_in_a_table_have_no_fields_of_others(how: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    parquet.write_table(pa.Table.from_pylist(ROWS), file)
    assert load_records(READERS[how](file)).records == ROWS


@pytest.mark.parametrize("how", READERS)
@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{**one, "content": [_part(one["content"])]} for one in (ASK, SAY)]},
        {"prompt": [ASK], "completion": [SAY]},
    ],
)
def test_nested_lists_of_a_table_are_read(row: dict[str, object], how: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    parquet.write_table(pa.Table.from_pylist([row]), file)
    assert load_records(READERS[how](file)).records == [{"messages": [ASK, SAY]}]


def test_calls_in_a_table_of_preferences_are_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    rows = [
        {"prompt": [ASK], "chosen": [_call("weather", city="Oslo")], "rejected": [SAY]},
        {"prompt": [ASK], "chosen": [_call("stock", ticker="ACME")], "rejected": [SAY]},
    ]
    parquet.write_table(pa.Table.from_pylist(rows), file)
    assert load_preferences(pd.read_parquet(file)).records == rows


def test_null_that_a_person_wrote_is_kept() -> None:
    rows = [{"messages": [ASK, _call("weather", city=None), SAY]}]
    assert load_records(rows).records == rows
    assert load_records(pd.DataFrame(rows)).records == rows


def test_a_row_that_is_nested_too_deeply_is_named() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(InvalidDataError, match=r"^`data` row 1 is nested too deeply\."):
        load_records([{"messages": deep}])
