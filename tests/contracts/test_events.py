"""`runs/events.py` and `wire/events.py` are two sides of one thing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from twinkle_jupyter.runs.events import RunEvent
from twinkle_jupyter.wire.events import EVENT, KINDS, parse_event

SNAPSHOT = Path(__file__).with_name("event_schema.json")

_events = st.one_of(
    *(
        st.builds(event, at=st.just("2026-01-01T00:00:00.000+00:00"))
        for event in RunEvent.__subclasses__()
    )
)


@given(_events)
def test_every_event_of_a_run_is_one_on_the_wire_and_comes_back_the_same(event: RunEvent) -> None:
    entry = json.loads(json.dumps(event.to_entry()).replace("NaN", "0").replace("Infinity", "9"))
    on_the_wire = EVENT.validate_json(json.dumps(entry))
    assert json.loads(on_the_wire.model_dump_json()) == entry


def test_both_sides_have_the_same_kinds_and_fields() -> None:
    ours = {
        event.kind: {"kind", *(field.name for field in dataclasses.fields(event))}
        for event in RunEvent.__subclasses__()
    }
    theirs = {
        schema["properties"]["kind"]["const"]: set(schema["properties"])
        for schema in EVENT.json_schema()["$defs"].values()
    }
    assert ours == theirs
    assert set(ours) == KINDS


def test_a_log_of_the_first_release_is_readable() -> None:
    entry: dict[str, JsonValue] = {
        "kind": "planned",
        "at": "2026-01-01T00:00:00Z",
        "total_steps": 3,
        "num_train_rows": 6,
        "num_eval_rows": 0,
    }
    read = parse_event(entry)
    assert read is not None
    assert read.model_dump() == {**entry, "memory_bytes": 0, "machine_bytes": 0}


def test_a_kind_of_a_later_release_is_skipped() -> None:
    assert parse_event({"kind": "fork", "at": "2026-01-01T00:00:00Z"}) is None


def test_the_schema_is_the_one_on_file() -> None:
    schema = json.dumps(EVENT.json_schema(), indent=1, sort_keys=True) + "\n"
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(schema)
        pytest.fail(f"{SNAPSHOT.name} was not there and has been written: look at it, commit it")
    assert SNAPSHOT.read_text() == schema, f"changed on purpose? Remove {SNAPSHOT.name}, run again"
