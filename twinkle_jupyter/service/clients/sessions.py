"""A client's sessions: its lease on what it trains and samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4, uuid5

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.store.client_rows import SessionRow
from twinkle_jupyter.store.interface import JSON, Row, StateStore
from twinkle_jupyter.store.records import now
from twinkle_jupyter.wire.tinker_bodies import CreateSessionBody

#: Names sessions after the keys of requests.
_COPIES = UUID("0b9d6f5e-52a4-4d2c-9c55-6c1d3a0f7e11")


async def reopen(store: StateStore, owner: str, session_id: str) -> None:
    """An adapter of the session is back in a slot: the session goes on, if only in silence."""

    def go_on(found: Row | None) -> Row:
        row = SessionRow(owner, session_id) if found is None else SessionRow.from_row(found)
        return row.changed(heard_at=now(), is_put_away=False, finished="").to_row()

    await store.put_if_absent(SessionRow(owner, session_id).open_key, {})
    await store.update(SessionRow.key(owner, session_id), go_on)


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
        await self.note_open(row.owner, row.session_id)  # a note of nothing is found to be one
        await self.store.put(SessionRow.key(row.owner, row.session_id), row.to_row())
        return row

    async def open_for_copy(self, owner: str, key: str) -> str:
        """Return the id of a session that is over and holds a copy; the same for the same key."""
        session_id = str(uuid5(_COPIES, f"{owner}/{key}") if key else uuid4())
        row = SessionRow(owner, session_id, finished="success", is_put_away=True)
        await self.store.put_if_absent(SessionRow.key(owner, session_id), row.to_row())
        return session_id

    async def note_open(self, owner: str, session_id: str) -> None:
        """Take note that the session may hold adapters in slots."""
        await self.store.put_if_absent(SessionRow(owner, session_id).open_key, {})

    async def everybodys(self) -> list[SessionRow]:
        """Return all sessions of all users."""
        return [SessionRow.from_row(r) for _, r in await self.store.list_rows(SessionRow.PREFIX)]

    async def remove(self, row: SessionRow) -> None:
        """Forget a session."""
        await self.store.delete(row.open_key)
        await self.store.delete(SessionRow.key(row.owner, row.session_id))

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
        await self.note_open(owner, session_id)

    async def finish(self, owner: str, session_id: str, how: str) -> None:
        """The client has ended it; how it ended first stays."""
        await self._change(owner, session_id, lambda row: row.changed(finished=row.finished or how))

    async def list_over(self, timeout_s: float) -> list[SessionRow]:
        """Return everybody's sessions that have ended, or been silent, and hold adapters."""
        before = (datetime.now(tz=UTC) - timedelta(seconds=timeout_s)).isoformat()
        over = []
        for open_key, _ in await self.store.list_rows(SessionRow.OPEN_PREFIX):
            found = await self.store.get(SessionRow.key_of_open(open_key))
            row = None if found is None else SessionRow.from_row(found)
            if row is None or row.is_put_away:
                # One that is heard of at this moment is noted again by its next heartbeat.
                await self.store.delete(open_key)
            elif row.finished or row.heard_at < before:
                over.append(row)
        return over

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
