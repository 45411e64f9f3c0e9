"""Whose every micro-batch was, from what a service kept of it on disk."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from twinkle_jupyter.actors.names import trainer_name
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.store.sqlite import SqliteStore


async def read_runs(home: Path) -> dict[str, RunRow]:
    """Return all runs of the service of this home, by their adapters' ids."""
    store: StateStore = SqliteStore.open(home / "store.sqlite3")
    rows = [RunRow.from_row(row) for _, row in await store.list_rows(RunRow.key(""))]
    await store.close()
    return {str(run.adapter_id): run for run in rows}


async def read_micro_batches(home: Path, base_model: str) -> list[set[str]]:
    """Return the adapters of each micro-batch of passes, in order.

    Args:
        home: Of a service whose trainer keeps its journal.
        base_model: As the service has it.
    """
    store: StateStore = SqliteStore.open(home / "store.sqlite3")
    kinds: dict[tuple[str, int], str] = {}
    batches: list[set[str]] = []
    after = 0
    while page := await store.read(trainer_name(base_model), after):
        after = page[-1].position
        for entry in (one.entry for one in page):
            if entry["kind"] == "op":
                op = cast("dict[str, str]", entry["op"])
                kinds[str(entry["adapter"]), int(str(entry["sequence"]))] = op["kind"]
            elif entry["kind"] == "plan":
                keys = [(str(a), int(n)) for a, n in cast("list[tuple[str, int]]", entry["ops"])]
                if {kinds[key] for key in keys} == {"forward_backward"}:
                    batches.append({adapter for adapter, _ in keys})
    await store.close()
    return batches
