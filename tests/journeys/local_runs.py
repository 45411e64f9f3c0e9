"""Runs and sweeps of a service in this process, driven as the runs actor drives them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.client.live_service import LiveService
from tests.runs.conftest import LocalProvider
from twinkle_jupyter.ids import RunId
from twinkle_jupyter.runs.driver import RunDriver
from twinkle_jupyter.runs.sweep_driver import SweepDriver
from twinkle_jupyter.runs.sweep_row import SweepRow
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.store.records import RUNS_LOG, RunRow


class LocalRuns:
    """Picks up what is not over, on the service's own loop, until `end`."""

    def __init__(self, live: LiveService, model: Path) -> None:
        assert live.compute is not None
        loaded = Compute(live.compute.trainer, live.compute.sampler)
        self._provider = LocalProvider(loaded, model)
        self._live = live
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self) -> None:
        self._live.call(self._begin())

    def end(self) -> None:
        self._live.call(self._end())

    async def _begin(self) -> None:
        self._tasks["watch"] = asyncio.create_task(self._watch())

    async def _end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _watch(self) -> None:
        store = self._live.store
        while True:
            seen = await store.last_position(RUNS_LOG)
            for _, row in await store.list_rows(RunRow.key("")):
                self._drive_run(RunRow.from_row(row))
            for _, row in await store.list_rows(SweepRow.key("")):
                if not row["is_over"]:
                    self._drive(str(row["sweep_id"]))
            await store.wait(RUNS_LOG, seen, 1.0)

    def _drive_run(self, run: RunRow) -> None:
        if not run.is_over:
            self._drive(run.run_id)

    def _drive(self, key: str) -> None:
        task = self._tasks.get(key)
        if task is not None and not task.done():
            return
        store = self._live.store
        if key.startswith("sweep"):
            work = SweepDriver(store, key).drive()
        else:
            artifacts = self._live.config.artifacts
            work = RunDriver(store, artifacts, self._provider, RunId(key)).drive()
        self._tasks[key] = asyncio.create_task(work)
