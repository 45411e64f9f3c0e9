"""What the compute side is doing, told to everybody who waits for it."""

from __future__ import annotations

from typing import Literal

from twinkle_jupyter.runs.events import Progress
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import PhaseRow, RunRow


class Announcer:
    """Writes the service's phase, and the same sentence into the log of each waiting run."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def say(
        self, phase: Literal["stopped", "starting", "ready", "failed"], message: str
    ) -> None:
        """Tell the phase."""
        await self._store.put(PhaseRow.KEY, PhaseRow(phase, message).to_row())
        if phase != "starting":
            return
        for _, row in await self._store.list_rows(RunRow.key("")):
            run = RunRow.from_row(row)
            if not run.is_over and run.wanted == "running":
                await self._store.append(
                    RunRow.log(run.run_id), Progress(message=message).to_entry()
                )
