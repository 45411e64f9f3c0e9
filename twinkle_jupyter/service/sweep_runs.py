"""The runs of a sweep's members: named, given the one copy of the records, and queued together."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import ConflictError, ServiceUnavailableError, TwinkleError
from twinkle_jupyter.ids import new_adapter_id, new_run_id
from twinkle_jupyter.runs.events import StateChanged
from twinkle_jupyter.runs.sweep import Member
from twinkle_jupyter.runs.sweep_row import MemberRow, SweepRow
from twinkle_jupyter.service.adapters import claim_adapter, get_adapter_run
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import RunRow

#: File of a run's folder.
RECORDS = "records.jsonl"


async def check_names(store: StateStore, owner: str, members: Sequence[Member]) -> None:
    """See that none of the members' adapters is being trained.

    Raises:
        ConflictError: Names all that are.
    """
    names = [member.config.adapter for member in members]
    runs = [await get_adapter_run(store, owner, name) for name in names]
    active = [repr(run.adapter) for run in runs if run is not None and not run.is_over]
    if active:
        raise ConflictError(
            f"{len(active)} of the sweep's adapters are being trained: {', '.join(active)}.",
            "Take another name with --name.",
        )


def new_member_rows(members: Sequence[Member], wave: int) -> tuple[MemberRow, ...]:
    """Return rows of new members, each with a run id of its own."""
    return tuple(
        MemberRow(new_run_id(), one.config.adapter, dict(one.settings), wave) for one in members
    )


async def prepare_runs(
    parts: ServiceParts,
    sweep: SweepRow,
    rows: Sequence[MemberRow],
    members: Sequence[Member],
    records: Path,
) -> list[RunRow]:
    """Give new members their folders and names; return their runs, which nobody sees yet.

    Args:
        parts: Of the service.
        sweep: Theirs.
        rows: The new ones.
        members: The same, with their settings.
        records: A file that another member has, or the first of these.

    Raises:
        ConflictError: Another request is starting a run of one of the names.
        QuotaExceededError: The user has not so many adapters left.
        ServiceUnavailableError: The disk takes nothing.
    """
    folders = [parts.config.run_folder(one.run_id) for one in rows]
    runs = [_run_row(sweep, row, member.config) for row, member in zip(rows, members, strict=True)]
    try:
        await asyncio.to_thread(_link_records, records, folders)
        for run_config in (member.config for member in members):
            parts.quotas.check_max_length(sweep.owner, run_config.max_length)
        async with parts.quotas.room_for_adapters(sweep.owner, [run.adapter for run in runs]):
            for run in runs:
                winner = await claim_adapter(parts.store, sweep.owner, run.adapter, run.run_id)
                if winner is not None:
                    raise ConflictError(f"Adapter {run.adapter!r} is being trained.")
    except TwinkleError:
        for folder in folders:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    return runs


async def queue_runs(store: StateStore, runs: Sequence[RunRow]) -> None:
    """Queue runs that were prepared; nobody is woken yet, so that they begin together.

    Their sweep is in the store before: a service that dies here leaves no run without one.
    """
    for run in runs:
        log = RunRow.log(run.run_id)
        await store.append(log, StateChanged(state="queued", step=0).to_entry())
    for run in runs:
        await store.put(RunRow.key(run.run_id), run.to_row())


def _run_row(sweep: SweepRow, row: MemberRow, config: RunConfig) -> RunRow:
    return RunRow(
        run_id=row.run_id,
        owner=sweep.owner,
        adapter_id=new_adapter_id(),
        adapter=row.adapter,
        config=cast("Row", config.model_dump(mode="json")),
        fingerprint=hashlib.sha256(f"{sweep.sweep_id}\n{row.adapter}".encode()).hexdigest(),
    )


def _link_records(records: Path, folders: Sequence[Path]) -> None:
    """Let every run have the one copy of the records."""
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            if folder != records.parent:
                os.link(records, folder / RECORDS)
    except OSError as error:
        raise ServiceUnavailableError(
            f"The records cannot be written: {error.strerror}.", "Free some space, then try again."
        ) from error
