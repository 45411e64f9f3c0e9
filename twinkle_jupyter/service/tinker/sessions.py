"""A client's sessions: its lease on what it trains and samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.store.client_rows import SessionRow
from twinkle_jupyter.store.interface import JSON, Row, StateStore
from twinkle_jupyter.store.records import now
from twinkle_jupyter.wire.tinker_bodies import CreateSessionBody


@dataclass(frozen=True, slots=True)
class Sessions:
    """All of a service."""

    store: StateStore

    async def open(self, owner: str, body: CreateSessionBody) -> SessionRow:
        """Begin a session."""
        row = SessionRow(
            owner,
            str(uuid4()),
            user_metadata=cast("Mapping[str, JSON]", body.user_metadata or {}),
            tags=body.tags,
            display_name=body.display_name or "",
            sdk_version=body.sdk_version,
        )
        return await self.add(row)

    async def add(self, row: SessionRow) -> SessionRow:
        """Begin a session that has been written down."""
        await self.store.put(SessionRow.key(row.owner, row.session_id), row.to_row())
        return row

    async def get(self, owner: str, session_id: str) -> SessionRow:
        """Return this user's session; raises NotFoundError where there is none."""
        row = await self.store.get(SessionRow.key(owner, session_id))
        if row is None:
            raise NotFoundError(f"There is no session {session_id!r}.")
        return SessionRow.from_row(row)

    async def of(self, owner: str) -> list[SessionRow]:
        """Return this user's sessions, newest first."""
        rows = await self.store.list_rows(SessionRow.key(owner, ""))
        found = [SessionRow.from_row(row) for _, row in rows]
        return sorted(found, key=lambda row: row.created_at, reverse=True)

    async def heard(self, owner: str, session_id: str) -> None:
        """The client is there; of two clocks, the one that is ahead counts."""
        moment = now()
        await self._change(
            owner,
            session_id,
            lambda row: row.changed(heard_at=max(moment, row.heard_at), is_put_away=False),
        )

    async def finish(self, owner: str, session_id: str, how: str) -> None:
        """The client has ended it; how it ended first stays."""
        await self._change(owner, session_id, lambda row: row.changed(finished=row.finished or how))

    async def list_over(self, timeout_s: float) -> list[SessionRow]:
        """Return everybody's sessions that have ended, or been silent, and hold adapters."""
        rows = await self.store.list_rows(SessionRow.PREFIX)
        before = (datetime.now(tz=UTC) - timedelta(seconds=timeout_s)).isoformat()
        found = [SessionRow.from_row(row) for _, row in rows]
        return [
            row for row in found if not row.is_put_away and (row.finished or row.heard_at < before)
        ]

    async def put_away(self, row: SessionRow) -> None:
        """Its adapters are on disk, unless it was heard of since it was looked at."""
        await self._change(
            row.owner,
            row.session_id,
            lambda found: found.changed(is_put_away=found.heard_at == row.heard_at),
        )

    async def _change(
        self, owner: str, session_id: str, new: Callable[[SessionRow], SessionRow]
    ) -> None:
        def change(row: Row | None) -> Row:
            if row is None:
                raise NotFoundError(f"There is no session {session_id!r}.")
            return new(SessionRow.from_row(row)).to_row()

        await self.store.update(SessionRow.key(owner, session_id), change)
