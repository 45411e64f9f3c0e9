"""Saved weights whose time is over are deleted once, and only those."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.service.conftest import Service
from twinkle_jupyter.service.clients.expiry import delete_expired
from twinkle_jupyter.service.clients.saved_weights import list_saved
from twinkle_jupyter.store.artifacts import commit_folder, has_folder
from twinkle_jupyter.store.client_rows import SavedWeightsRow
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.memory import MemoryStore
from twinkle_jupyter.store.shares import ShareRow


class SavedMeanwhile(MemoryStore):
    """Between looking and deleting, a name is written again."""

    async def list_rows(self, prefix: str) -> list[tuple[str, Row]]:
        found = await super().list_rows(prefix)
        for key, row in found:
            if key.startswith(SavedWeightsRow.PREFIX):
                await self.put(key, {**row, "expires_at": ""})
        return found


PAST, FUTURE = "2026-01-01T00:00:00.000+00:00", "2999-01-01T00:00:00.000+00:00"


async def test_whoever_looks_deletes_each_once(tmp_path: Path) -> None:
    store = MemoryStore()
    moments = {"old": PAST, "older": PAST, "new": FUTURE, "kept": ""}
    for name, moment in moments.items():
        folder = tmp_path / name
        commit_folder(folder, lambda path: (path / "weights").touch())
        row = SavedWeightsRow(
            "anna", "a", "weights", name, "tiny", 4, (), str(folder), 1, expires_at=moment
        )
        await store.put(SavedWeightsRow.key("anna", "a", "weights", name), row.to_row())
        shared = "later" if name == "older" else str(folder)
        share = ShareRow(
            "anna", "a", "weights", name, "a", "tiny", 4, 8.0, 1, is_of_run=False, folder=shared
        )
        await store.put(ShareRow.key("a", "weights", name), share.to_row())
    counts = await asyncio.gather(*(delete_expired(store) for _ in range(4)))
    assert sum(counts) == 2
    assert {name for name in moments if has_folder(tmp_path / name)} == {"new", "kept"}
    left = [row["name"] for _, row in await store.list_rows(SavedWeightsRow.PREFIX)]
    assert left == ["kept", "new"]
    # With what they were of, but not what has come after it under its name.
    still = [row["name"] for _, row in await store.list_rows(ShareRow.PREFIX)]
    assert still == ["kept", "new", "older"]


async def test_weights_that_were_saved_again_meanwhile_are_there(service: Service) -> None:
    store = SavedMeanwhile()
    folder = service.config.client_weights_folder("a", "weights", "x")
    commit_folder(folder, lambda path: (path / "weights").touch())
    row = SavedWeightsRow(
        "anna", "a", "weights", "x", "tiny", 4, (), str(folder), 1, expires_at=PAST
    )
    key = SavedWeightsRow.key("anna", "a", "weights", "x")
    await store.put(key, row.to_row())
    assert await list_saved(replace(service.app.state.parts, store=store), "anna") == []
    assert (await store.get(key) or {}).get("expires_at") == ""
    assert has_folder(folder)
