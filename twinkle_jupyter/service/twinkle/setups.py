"""How each adapter is trained, kept in the store: a service that begins anew goes on with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.interface import JSON, Row, StateStore
from twinkle_jupyter.store.training_setups import LastPassRow, TrainingSetupRow

Change = Callable[[TrainingSetupRow], TrainingSetupRow]


@dataclass(frozen=True, slots=True)
class Setups:
    """All of a service."""

    store: StateStore

    async def get(self, row: ClientAdapterRow) -> TrainingSetupRow:
        """Return an adapter's; one that nobody has set up has every default."""
        found = await self.store.get(TrainingSetupRow.key(row.owner, row.adapter_id))
        return _new(row) if found is None else TrainingSetupRow.from_row(found)

    async def update(self, row: ClientAdapterRow, change: Change) -> TrainingSetupRow:
        """Change it in one transaction."""

        def change_row(found: Row | None) -> Row:
            setup = _new(row) if found is None else TrainingSetupRow.from_row(found)
            return change(setup).to_row()

        key = TrainingSetupRow.key(row.owner, row.adapter_id)
        return TrainingSetupRow.from_row(await self.store.update(key, change_row))

    async def change(self, row: ClientAdapterRow, **changes: JSON) -> TrainingSetupRow:
        """Set these fields."""
        return await self.update(row, lambda setup: setup.changed(**changes))

    async def last_pass(self, row: ClientAdapterRow) -> LastPassRow | None:
        """Return the forward pass that nothing came after."""
        found = await self.store.get(LastPassRow.key(row.owner, row.adapter_id))
        return None if found is None else LastPassRow.from_row(found)

    async def keep_pass(self, kept: LastPassRow) -> None:
        """Keep a forward pass until its gradient is asked for, or another one comes."""
        await self.store.put(LastPassRow.key(kept.owner, kept.adapter_id), kept.to_row())

    async def forget_pass(self, row: ClientAdapterRow) -> None:
        """Forget the last one."""
        await self.store.delete(LastPassRow.key(row.owner, row.adapter_id))


def _new(row: ClientAdapterRow) -> TrainingSetupRow:
    name = row.adapter_id.removeprefix(f"{row.session_id}-")
    return TrainingSetupRow(row.owner, row.adapter_id, name)
