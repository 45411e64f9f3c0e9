"""What sessions that are long over leave behind: removed.

Adapters stay, and what was saved of them: they are the user's until they delete them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from twinkle_jupyter.service.clients.sessions import Sessions
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.artifacts import delete_folder
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SamplingSessionRow, SessionRow

#: How long the rows of a session that is over can be looked at.
KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Removed:
    """What one run removed."""

    num_sessions: int = 0
    num_sampling_sessions: int = 0


@dataclass(frozen=True, slots=True)
class RowCleanup:
    """Goes through all sessions; may run on any replica, on several at once, and be cut short."""

    parts: ServiceParts
    sessions: Sessions

    #: Often enough.
    EVERY_S: ClassVar[float] = 3600.0

    async def run_once(self) -> Removed:
        """Remove what nobody can use any more; return how much that was."""
        num_sessions = num_samplers = 0
        before = (datetime.now(tz=UTC) - KEPT).isoformat()
        for session in await self.sessions.everybodys():
            if not session.is_put_away:
                # Of a version that took no note of it.
                await self.sessions.note_open(session.owner, session.session_id)
            elif session.heard_at < before and not await self._is_used(session, before):
                num_samplers += await self._remove_samplers(session)
                await self.sessions.remove(session)
                num_sessions += 1
        return Removed(num_sessions, num_samplers)

    async def _is_used(self, session: SessionRow, before: str) -> bool:
        prefix = ClientAdapterRow.prefix_of_session(session.owner, session.session_id)
        rows = await self.parts.store.list_rows(prefix)
        return any(ClientAdapterRow.from_row(row).used_at >= before for _, row in rows)

    async def _remove_samplers(self, session: SessionRow) -> int:
        store = self.parts.store
        rows = await store.list_rows(
            SamplingSessionRow.prefix_of_session(session.owner, session.session_id)
        )
        for key, row in rows:
            found = SamplingSessionRow.from_row(row)
            # The row last: what is cut short is found again.
            if found.has_own_weights:
                await asyncio.to_thread(delete_folder, Path(found.folder))
            await store.delete(key)
        return len(rows)
