"""The row of one run in the store: read before each step, changed a field at a time."""

from __future__ import annotations

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.ids import RunId
from twinkle_jupyter.store.interface import JSON, Row, StateStore
from twinkle_jupyter.store.notices import MaintenanceRow
from twinkle_jupyter.store.records import CheckpointLabel, RunRow
from twinkle_jupyter.store.shares import ShareRow


class RowOfRun:
    """Reads and changes a row that others change, too.

    Raises:
        TwinkleError: From every method: the row is gone.
    """

    def __init__(self, store: StateStore, run_id: RunId) -> None:
        self._store = store
        self._run_id = run_id

    async def get(self) -> RunRow:
        """Return the row as it is now; during maintenance, no run is wanted to run."""
        keys = [RunRow.key(self._run_id), MaintenanceRow.KEY]
        found, maintenance = await self._store.get_many(keys)
        row = self._checked(found)
        is_held = maintenance is not None and row.wanted == "running"
        return row.changed(wanted="paused") if is_held else row

    async def held_for(self) -> str:
        """Return why the run rests though its user wants it to run; empty where that is not so."""
        keys = [RunRow.key(self._run_id), MaintenanceRow.KEY]
        found, maintenance = await self._store.get_many(keys)
        if maintenance is None or self._checked(found).wanted != "running":
            return ""
        return MaintenanceRow.from_row(maintenance).message

    async def after(self, step: int) -> RunRow:
        """Return the row after a step, of which it may be said that the run stops there."""
        row = await self.get()
        if row.wanted == "running" and 0 < row.stop_after <= step:
            await self.change(wanted="stopped")
            row = await self.get()
        return row

    async def change(self, **changes: JSON) -> None:
        """Change these fields, whatever the others are by now."""

        def change(row: Row | None) -> Row:
            return self._checked(row).changed(**changes).to_row()

        await self._store.update(RunRow.key(self._run_id), change)

    async def note_step(self, step: int, loss: float | None) -> None:
        """Note the newest step that was told, 0 for none yet."""
        if step:
            await self.change(step=step, loss=loss)

    async def leave_best(self) -> None:
        """Make the best checkpoint the run's last one, if that is what it is to leave."""
        row = await self.get()
        if row.keep == "best" and row.best_checkpoint:
            await self.change(checkpoint=row.best_checkpoint)

    async def labelled(self) -> set[str]:
        """Return the names of checkpoints that stay: somebody named them, or may read them."""
        prefix = CheckpointLabel.key(self._run_id, "")
        rows = await self._store.list_rows(prefix)
        named = {
            key.removeprefix(prefix)
            for key, row in rows
            if not CheckpointLabel.from_row(row).has_expired
        }
        shares = await self._store.list_rows(ShareRow.prefix(self._run_id))
        return named | {ShareRow.from_row(row).name for _, row in shares}

    def _checked(self, row: Row | None) -> RunRow:
        if row is None:
            raise TwinkleError(f"Run {self._run_id} is not in the store.")
        return RunRow.from_row(row)
