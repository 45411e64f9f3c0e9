"""Adapters that clients train, as those see them that ask for them by name beside the clients."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from twinkle_jupyter.config.model_folder import read_json_object
from twinkle_jupyter.errors import ConflictError
from twinkle_jupyter.service.clients.saved_weights import (
    SavedWeights,
    WeightsPath,
    delete_saved,
    list_saved,
)
from twinkle_jupyter.service.compute_removal import remove_from_compute
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.share_rows import forget_shares
from twinkle_jupyter.store.artifacts import has_folder
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SessionRow
from twinkle_jupyter.store.training_setups import LastPassRow, TrainingSetupRow

#: Written by whoever saves an adapter, beside its weights.
_STATE_FILE = "trainer_state.json"


@dataclass(frozen=True, slots=True)
class ClientModel:
    """One of them, and the newest of its weights that are on disk."""

    row: ClientAdapterRow
    #: None before the first.
    folder: Path | None = None
    step: int = 0
    #: Of all that was saved of it, newest first.
    saved: Sequence[SavedWeights] = ()

    @property
    def is_stored(self) -> bool:
        """Whether it is in no slot now, and comes back with its next op."""
        return bool(self.row.to_load)


async def find_client_adapter(
    parts: ServiceParts, owner: str, name: str
) -> ClientAdapterRow | None:
    """Return this user's adapter of that id; None where there is none."""
    # The ids of both protocols have a session's in front, which no run's name is that long for.
    row = await parts.store.get(ClientAdapterRow.key(owner, name))
    return None if row is None else ClientAdapterRow.from_row(row)


async def look_up(parts: ServiceParts, row: ClientAdapterRow) -> ClientModel:
    """Return an adapter with the newest of its weights that are on disk."""
    saved = await list_saved(parts, row.owner, row.adapter_id)
    return await asyncio.to_thread(_look, row, saved)


async def list_client_models(parts: ServiceParts, owner: str) -> list[ClientModel]:
    """Return all of this user's, newest first."""
    rows = await parts.store.list_rows(ClientAdapterRow.key(owner, ""))
    adapters = [ClientAdapterRow.from_row(row) for _, row in rows]
    adapters.sort(key=lambda row: row.created_at, reverse=True)
    saved = await list_saved(parts, owner) if adapters else []

    def look() -> list[ClientModel]:
        return [
            _look(row, [one for one in saved if one.row.adapter_id == row.adapter_id])
            for row in adapters
        ]

    return await asyncio.to_thread(look)


async def delete_client_adapter(parts: ServiceParts, row: ClientAdapterRow) -> None:
    """Delete an adapter of a client's with all that was saved of it.

    Raises:
        ConflictError: Its client is still there.
        ServiceUnavailableError: The trainer is away; doing it again deletes what is left.
    """
    store = parts.store
    session = await store.get(SessionRow.key(row.owner, row.session_id))
    if session is not None:
        found = SessionRow.from_row(session)
        if not found.finished and not found.is_put_away:
            raise ConflictError(
                f"Adapter {row.adapter_id!r} belongs to a Tinker client that is still there.",
                "End the client's session first; half an hour of silence does so, too.",
            )
    for one in await list_saved(parts, row.owner, row.adapter_id):
        await delete_saved(parts, row.owner, WeightsPath.parse(one.row.path))
    # An adapter of the same name that is made later begins anew.
    await store.delete(TrainingSetupRow.key(row.owner, row.adapter_id))
    await store.delete(LastPassRow.key(row.owner, row.adapter_id))
    await forget_shares(store, row.owner, row.adapter_id)
    await remove_from_compute(parts, row.base_model, row.adapter_id)
    folder = parts.config.client_weights_folder(row.adapter_id, "-", "-").parents[1]
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    # Last: what is cut short is found again.
    await store.delete(ClientAdapterRow.key(row.owner, row.adapter_id))


def _look(row: ClientAdapterRow, saved: list[SavedWeights]) -> ClientModel:
    """Find the newest weights on disk: what it was put away as, or else what was saved last."""
    # What it is to become by a path may be another user's, and not shared any more.
    places = (row.to_load if row.is_put_away else {}, row.parked)
    away = [Path(str(where["folder"])) for where in places if where]
    folders = [*away, *(Path(one.row.folder) for one in saved)]
    folder = next((one for one in folders if has_folder(one)), None)
    if folder is None:
        return ClientModel(row, saved=saved)
    step = cast("int", read_json_object(folder / _STATE_FILE).get("step", 0))
    return ClientModel(row, folder, step, saved)
