"""A run in the store, and the true engine in this process to drive it."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from tests.records import SUMS
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.ids import AdapterId, RunId, new_adapter_id, new_run_id
from twinkle_jupyter.runs.compute import PreparedModel
from twinkle_jupyter.runs.driver import RunDriver
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.runtime.local import open_local_compute
from twinkle_jupyter.store.interface import JSON, Row
from twinkle_jupyter.store.records import RUNS_LOG, RunRow
from twinkle_jupyter.store.sqlite import SqliteStore


@dataclass
class LocalProvider:
    """A `ComputeProvider` whose model is always loaded."""

    loaded: Compute
    model_folder: Path

    async def prepare(
        self, base_model: str, say: Callable[[str], Awaitable[None]]
    ) -> PreparedModel:
        return PreparedModel(self.model_folder, TrainerSettings())

    async def compute(self, base_model: str, say: Callable[[str], Awaitable[None]]) -> Compute:
        return self.loaded

    async def forget(self, base_model: str, adapter_id: AdapterId) -> None:
        await self.loaded.trainer.remove_adapter(adapter_id)


@dataclass
class Workshop:
    """Store, artifacts and compute of one test."""

    store: SqliteStore
    artifacts: Path
    provider: LocalProvider

    async def add_run(
        self, wishes: Sequence[Row] = (), parent: RunId | None = None, **settings: object
    ) -> RunId:
        config = RunConfig.model_validate({"adapter": "tiny", "base_model": "tiny", **settings})
        run_id = new_run_id()
        folder = self.artifacts / "runs" / run_id
        folder.mkdir(parents=True)
        (folder / "records.jsonl").write_text("\n".join(json.dumps(r) for r in SUMS))
        row = RunRow(
            run_id=run_id,
            owner="ada",
            adapter_id=new_adapter_id(),
            adapter="tiny",
            config=config.model_dump(mode="json"),
            fingerprint="",
            wishes=wishes,
            **await self._lineage(parent, run_id),
        )
        await self.store.put(RunRow.key(run_id), row.to_row())
        return run_id

    async def _lineage(self, parent: RunId | None, run_id: RunId) -> dict[str, Any]:
        """What a fork of the parent's newest checkpoint has in its row and its folder."""
        if parent is None:
            return {}
        row = await self.row(parent)
        origin = self.artifacts / "runs" / run_id / "origin"
        shutil.copytree(self.artifacts / "runs" / parent / "checkpoints" / row.checkpoint, origin)
        step = int(row.checkpoint.rpartition("-")[2])
        batch_size = RunConfig.model_validate(dict(row.config)).batch_size
        return {"parent_run": parent, "parent_step": step, "parent_rows": step * batch_size}

    async def wish(self, run_id: RunId, **changes: JSON) -> None:
        """Ask for other settings, as the service does."""

        def change(row: Row | None) -> Row:
            assert row is not None
            return {**row, "wishes": [*cast("Sequence[Row]", row["wishes"]), changes]}

        await self.store.update(RunRow.key(run_id), change)
        await self.store.append(RUNS_LOG, {"run_id": run_id})

    def driver(self, run_id: RunId) -> RunDriver:
        return RunDriver(self.store, self.artifacts, self.provider, run_id)

    async def row(self, run_id: RunId) -> RunRow:
        row = await self.store.get(RunRow.key(run_id))
        assert row is not None
        return RunRow.from_row(row)

    async def want(self, run_id: RunId, wanted: str, **more: JSON) -> None:
        def change(row: Row | None) -> Row:
            assert row is not None
            return {**row, "wanted": wanted, **more}

        await self.store.update(RunRow.key(run_id), change)
        await self.store.append(RUNS_LOG, {"run_id": run_id})

    async def entries(self, run_id: RunId, kind: str = "") -> list[Row]:
        log = await self.store.read(RunRow.log(run_id), limit=10_000)
        return [one.entry for one in log if not kind or one.entry["kind"] == kind]

    async def losses(self, run_id: RunId) -> list[tuple[int, float]]:
        entries = await self.entries(run_id, "step")
        return [(cast("int", e["step"]), cast("float", e["loss"])) for e in entries]

    async def wait_for(self, run_id: RunId, kind: str, **fields: object) -> None:
        """Wait until the log has such an entry."""
        after = 0
        while True:
            for one in await self.store.read(RunRow.log(run_id), after):
                after = one.position
                if {"kind": kind, **fields}.items() <= dict(one.entry).items():
                    return
            assert await self.store.wait(RunRow.log(run_id), after, 30), f"no {kind} {fields}"


@pytest.fixture
async def workshop(tmp_path: Path, tiny_model: Path) -> AsyncIterator[Workshop]:
    store = SqliteStore.open(tmp_path / "store.sqlite3")
    async with open_local_compute(tiny_model, base_model_name="tiny") as loaded:
        yield Workshop(store, tmp_path / "artifacts", LocalProvider(loaded, tiny_model))
    await store.close()
