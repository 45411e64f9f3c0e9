"""What an admin has the service do or say: rest, go on, tell everybody something."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.service.notice_bodies import maintenance_body
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.notices import BroadcastRow, MaintenanceRow
from twinkle_jupyter.store.records import RUNS_LOG, RunRow
from twinkle_jupyter.wire.admin import DrainBody, DrainStateBody, SayBody

#: To those who wait for a run's turn, and read what is wanted of it.
_WAKE = {"command": "maintenance"}


async def drain(store: StateStore, admin: str, body: DrainBody) -> DrainStateBody:
    """Take in no new work, and let every run rest at its next step; again: with another message."""
    row = MaintenanceRow(body.message, admin, _moment_in(body.seconds))
    known = await store.get(MaintenanceRow.KEY)
    if known is not None:
        row = MaintenanceRow(row.message, admin, row.until, MaintenanceRow.from_row(known).since)
    await store.put(MaintenanceRow.KEY, row.to_row())
    await note_act(store, admin, "drain", detail=body.message)
    await store.append(RUNS_LOG, _WAKE)
    return await read_drain(store)


async def undrain(store: StateStore, admin: str) -> DrainStateBody:
    """Take in work again; runs that rest because of the maintenance go on, and no others."""
    if await store.delete(MaintenanceRow.KEY):
        await note_act(store, admin, "undrain")
        await store.append(RUNS_LOG, _WAKE)
    return await read_drain(store)


async def read_drain(store: StateStore) -> DrainStateBody:
    """Tell whether the service rests, and how far runs have come to rest."""
    row = await store.get(MaintenanceRow.KEY)
    runs = [RunRow.from_row(one) for _, one in await store.list_rows(RunRow.key(""))]
    held = [run for run in runs if run.state == "paused" and run.wanted == "running"]
    return DrainStateBody(
        maintenance=maintenance_body(None if row is None else MaintenanceRow.from_row(row)),
        num_running=sum(1 for run in runs if run.state == "running"),
        num_held=len(held) if row is not None else 0,
    )


async def say(store: StateStore, admin: str, body: SayBody) -> BroadcastRow:
    """Tell everybody something for a while, in place of what was said before."""
    row = BroadcastRow(body.message, body.level, admin, _moment_in(body.seconds))
    await store.put(BroadcastRow.KEY, row.to_row(), ttl_s=float(body.seconds))
    await note_act(store, admin, "broadcast", detail=body.message)
    return row


async def end_broadcast(store: StateStore, admin: str) -> None:
    """Say it no longer.

    Raises:
        NotFoundError: Nothing is being said.
    """
    if not await store.delete(BroadcastRow.KEY):
        raise NotFoundError("There is no message to end.")
    await note_act(store, admin, "broadcast_ended")


def _moment_in(seconds: int | None) -> str:
    if seconds is None:
        return ""
    moment = datetime.now(tz=UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds")
