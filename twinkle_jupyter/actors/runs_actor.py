"""All runs and sweeps of the service, driven in one actor: one task each, nothing heavy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from twinkle_jupyter.actors.parent_watch import end_with_parent
from twinkle_jupyter.actors.provider import RayComputeProvider
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.ids import RunId
from twinkle_jupyter.runs.driver import RunDriver
from twinkle_jupyter.runs.sweep_driver import SweepDriver
from twinkle_jupyter.runs.sweep_row import SweepRow
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import RUNS_LOG, RunRow
from twinkle_jupyter.telemetry import log_to_file

_LOGGER = logging.getLogger(__name__)

_WAIT_S = 5.0
#: Time for running steps and their checkpoints to end when the service stops.
_LEAVE_S = 6.0


class RunsActor:
    """Picks up runs and sweeps that are not over, at its start and as new ones come."""

    def __init__(
        self,
        open_store: Callable[[], StateStore],
        artifacts: str,
        settings_of: Callable[[str, str], TrainerSettings],
        log_file: str,
    ) -> None:
        log_to_file(Path(log_file))
        end_with_parent()
        self._store = open_store()
        self._provider = RayComputeProvider(self._store, settings_of)
        self._artifacts = Path(artifacts)
        self._drivers: dict[RunId, tuple[RunDriver, asyncio.Task[None]]] = {}
        self._sweeps: dict[str, asyncio.Task[None]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def ping(self) -> None:
        """Answer when the actor is at work; begin to watch the store if it is not."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._pick_up_runs())

    async def leave(self) -> None:
        """Bring every run to a checkpoint and let go of it."""
        if self._watch is not None:
            self._watch.cancel()
        for sweep in self._sweeps.values():
            sweep.cancel()
        tasks = []
        for driver, task in self._drivers.values():
            driver.leave()
            tasks.append(task)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_LEAVE_S)
            for task in late:
                task.cancel()

    async def _pick_up_runs(self) -> None:
        while True:
            seen = await self._store.last_position(RUNS_LOG)
            for _, row in await self._store.list_rows(RunRow.key("")):
                run = RunRow.from_row(row)
                if not run.is_over and run.run_id not in self._drivers:
                    self._drive(run.run_id)
            for _, row in await self._store.list_rows(SweepRow.key("")):
                if not row["is_over"] and row["sweep_id"] not in self._sweeps:
                    self._drive_sweep(str(row["sweep_id"]))
            await self._store.wait(RUNS_LOG, seen, _WAIT_S)

    def _drive(self, run_id: RunId) -> None:
        driver = RunDriver(self._store, self._artifacts, self._provider, run_id)
        task = asyncio.create_task(driver.drive(), name=run_id)
        self._drivers[run_id] = (driver, task)
        task.add_done_callback(self._forget)

    def _drive_sweep(self, sweep_id: str) -> None:
        driver = SweepDriver(self._store, sweep_id)
        task = asyncio.create_task(driver.drive(), name=sweep_id)
        self._sweeps[sweep_id] = task
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._drivers.pop(RunId(task.get_name()), None)
        self._sweeps.pop(task.get_name(), None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOGGER.error("driver of %s ended by an error", task.get_name(), exc_info=error)
