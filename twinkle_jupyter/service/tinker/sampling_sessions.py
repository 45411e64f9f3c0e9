"""What a client samples from: a base model, saved weights, or those of one moment of training."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import SaveCheckpoint
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.base_model_names import check_name
from twinkle_jupyter.service.clients.readable_weights import find_readable
from twinkle_jupyter.service.clients.saved_weights import WeightsPath
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.artifacts import delete_folder
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SamplingSessionRow

#: Weights without a name that are kept of one adapter: a loop makes some at every step.
MAX_UNNAMED = 16


@dataclass(frozen=True, slots=True)
class SamplingSessions:
    """All of a service."""

    parts: ServiceParts

    async def open(
        self,
        asker: Asker,
        session_id: str,
        number: int,
        base_model: str | None,
        model_path: str | None,
    ) -> SamplingSessionRow:
        """Return a session over a base model or saved weights.

        Raises:
            NotFoundError: There are no such weights.
            InvalidDataError: Neither was named.
        """
        owner, folder, is_shared = asker.owner, "", False
        if model_path is not None:
            saved = await find_readable(self.parts, asker, WeightsPath.parse(model_path))
            base_model, folder = saved.base_model, saved.folder
            is_shared = saved.owner != owner
        if base_model is None:
            raise InvalidDataError("Neither base_model nor model_path says what to sample from.")
        if not folder:
            await check_name(self.parts, owner, base_model)
            await asyncio.to_thread(self.parts.check_base_model, base_model)
        row = SamplingSessionRow(
            owner,
            name_session(session_id, number),
            session_id,
            base_model,
            folder,
            model_path or "",
            is_shared=is_shared,
        )
        key = SamplingSessionRow.key(owner, row.sampling_session_id)
        await self.parts.store.put(key, row.to_row())
        return row

    async def get(self, owner: str, sampling_session_id: str) -> SamplingSessionRow:
        """Return this user's session; raises NotFoundError where there is none."""
        row = await self.parts.store.get(SamplingSessionRow.key(owner, sampling_session_id))
        if row is None:
            raise NotFoundError(f"There is no sampling session {sampling_session_id!r}.")
        return SamplingSessionRow.from_row(row)

    async def check_readable(self, asker: Asker, row: SamplingSessionRow) -> None:
        """See that what others shared is shared still; raises NotFoundError where it is not."""
        if row.is_shared:
            await find_readable(self.parts, asker, WeightsPath.parse(row.model_path))

    async def of_session(self, owner: str, session_id: str) -> list[SamplingSessionRow]:
        """Return those of one session of this user's."""
        prefix = SamplingSessionRow.prefix_of_session(owner, session_id)
        rows = await self.parts.store.list_rows(prefix)
        return [SamplingSessionRow.from_row(row) for _, row in rows]

    async def plan_unnamed(
        self, adapter: ClientAdapterRow, number: int, sequence_id: int
    ) -> tuple[SamplingSessionRow, SaveCheckpoint]:
        """Write down a session over an adapter as it is at one of its ops; return both.

        Older ones of the adapter go, beyond those that are kept.
        """
        folder = self.parts.config.client_weights_folder(
            adapter.adapter_id, "unnamed", str(sequence_id)
        )
        row = SamplingSessionRow(
            adapter.owner,
            name_session(adapter.session_id, number),
            adapter.session_id,
            adapter.base_model,
            str(folder),
            adapter_id=adapter.adapter_id,
        )
        key = SamplingSessionRow.key(adapter.owner, row.sampling_session_id)
        await self.parts.store.put(key, row.to_row())
        await self._drop_oldest(adapter)
        op = SaveCheckpoint(
            AdapterId(adapter.adapter_id), sequence_id, str(folder), weights_only=True
        )
        return row, op

    async def _drop_oldest(self, adapter: ClientAdapterRow) -> None:
        theirs = [
            row
            for row in await self.of_session(adapter.owner, adapter.session_id)
            if row.adapter_id == adapter.adapter_id and row.has_own_weights
        ]
        theirs.sort(key=lambda row: row.created_at)
        for row in theirs[:-MAX_UNNAMED]:
            key = SamplingSessionRow.key(row.owner, row.sampling_session_id)
            await self.parts.store.delete(key)
            await asyncio.to_thread(delete_folder, Path(row.folder))


def name_session(session_id: str, number: int) -> str:
    """Return the id of a session's sampling session of that number."""
    return f"{session_id}:sample:{number}"
