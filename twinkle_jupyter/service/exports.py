"""Exports under way and done: each a row of the store, brought forward by a task of this process.

The checkpoint is held by hard links first, so that the run may go on and forget it. Whoever wants
an export ended writes that into its row; a row that nobody brings forward any more has failed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Self, cast
from urllib.parse import quote

from twinkle_jupyter.errors import ConflictError, NotFoundError, TwinkleError
from twinkle_jupyter.service.adapter_files import AdapterFiles, ExportJob, check_folders_are_ours
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.error_bodies import log_unexpected
from twinkle_jupyter.service.held_checkpoints import hold_checkpoint
from twinkle_jupyter.service.named_checkpoints import find_named_checkpoint
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store import hold
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import now
from twinkle_jupyter.store.whole_folder import check_new_folder, sweep_partial
from twinkle_jupyter.wire.exports import ExportFormat, ExportState, StartExportBody

#: A row that is brought forward is written more often than this.
_LIFE = timedelta(seconds=30)
_HEARTBEAT_S = 5.0
_END_S = 15.0
#: Of a user, that are over.
_KEPT_ROWS = 20
#: Seconds after which another process may begin one where one that died was beginning.
_ALONE_S = 6.0
_LOOK_EVERY_S = 0.2

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One export, and how far it is."""

    PREFIX: ClassVar[str] = "export/"

    export_id: str
    owner: str
    adapter: str
    run_id: str
    step: int
    format: ExportFormat
    folder: str
    state: ExportState = "running"
    fraction: float = 0.0
    size_bytes: int = 0
    message: str = ""
    hint: str = ""
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)

    @classmethod
    def key(cls, owner: str, export_id: str) -> str:
        """Where the row is kept; all of an owner's are under `key(owner, "")`."""
        return f"{cls.PREFIX}{quote(owner, safe='')}/{export_id}"

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON, as failed when whoever made it is gone."""
        export = cls(**row)  # type: ignore[arg-type]
        silence = datetime.now(tz=UTC) - datetime.fromisoformat(export.updated_at)
        if export.state != "running" or silence < _LIFE:
            return export
        return replace(
            export,
            state="failed",
            message="The service ended while this was being written; nothing was left.",
            hint="Start it again.",
        )


class _GivenUpError(Exception):
    """Somebody wants the export ended."""


class Exports:
    """Starts, finds and ends exports.

    Args:
        parts: The service's.
        files: Does the work.
    """

    def __init__(self, parts: ServiceParts, files: AdapterFiles) -> None:
        self._parts = parts
        self._files = files
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._starting = asyncio.Lock()

    async def start(self, owner: str, name: str, wanted: StartExportBody) -> ExportRow:
        """Begin to write an adapter into a folder.

        Raises:
            NotFoundError: There is no such adapter, or no checkpoint of that step.
            ConflictError: It has no weights yet, there is something in the folder, or another
                export of this user is under way.
            InvalidConfigError: Nothing can be written there, or the service is not the user's own.
        """
        found = await find_named_checkpoint(self._parts, Asker(owner), name, wanted.step)
        await check_folders_are_ours(self._parts, owner)
        folder = Path(wanted.folder)
        await asyncio.to_thread(check_new_folder, folder)
        # What is held of an export that another process begins is not to be swept.
        alone = hold.held(self._parts.store, "exports", _ALONE_S, look_every_s=_LOOK_EVERY_S)
        async with self._starting, alone:
            await self._make_room(owner)
            export = ExportRow(
                export_id=f"export_{secrets.token_hex(8)}",
                owner=owner,
                adapter=found.adapter,
                run_id=found.run_id,
                step=found.step,
                format=wanted.format,
                folder=str(folder),
            )
            held = self._held_folder(export.export_id)
            await asyncio.to_thread(hold_checkpoint, found.folder, held)
            await self._parts.store.put(ExportRow.key(owner, export.export_id), export.to_row())
        job = ExportJob(
            base_model=found.base_model,
            checkpoint=held,
            folder=folder,
            format=wanted.format,
            # A file may be called after it.
            name=found.adapter.replace(":", "-"),
            weight_type=wanted.weight_type,
        )
        task = asyncio.create_task(self._bring_forward(export, job), name=export.export_id)
        self._tasks[export.export_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(export.export_id))
        return export

    async def get(self, owner: str, export_id: str) -> ExportRow:
        """Return an export; raises `NotFoundError` when this user has none of that id."""
        row = await self._parts.store.get(ExportRow.key(owner, export_id))
        if row is None:
            raise NotFoundError(f"There is no export {export_id!r}.")
        return ExportRow.from_row(row)

    async def cancel(self, owner: str, export_id: str) -> ExportRow:
        """End an export and leave nothing of it; one that is over stays as it is."""
        export = await self.get(owner, export_id)
        if export.state != "running":
            return export
        return await self._change(export, state="cancelled")

    async def _bring_forward(self, export: ExportRow, job: ExportJob) -> None:
        told_at, told = -_HEARTBEAT_S, -1.0
        clock = asyncio.get_running_loop().time

        async def on_progress(fraction: float) -> None:
            nonlocal told_at, told
            if (await self.get(export.owner, export.export_id)).state == "cancelled":
                raise _GivenUpError
            if fraction - told >= 0.01 or clock() - told_at >= _HEARTBEAT_S:
                told_at, told = clock(), fraction
                await self._change(export, fraction=fraction)

        try:
            size_bytes = await self._files.export(job, on_progress)
            await self._change(export, state="finished", fraction=1.0, size_bytes=size_bytes)
        except _GivenUpError:
            _LOGGER.info("%s was given up", export.export_id)
        except TwinkleError as error:
            await self._change(export, state="failed", message=error.message, hint=error.hint)
        except Exception as error:  # noqa: BLE001 - the task's outermost: logged with its traceback
            told_error = log_unexpected(error)
            await self._change(
                export, state="failed", message=told_error.message, hint=told_error.hint
            )
        finally:
            await asyncio.to_thread(_clear, job)

    async def _change(self, export: ExportRow, **changes: object) -> ExportRow:
        """Change the row unless it is over already."""

        def change(row: Row | None) -> Row:
            current = ExportRow(**row) if row is not None else export  # type: ignore[arg-type]
            if current.state != "running":
                return current.to_row()
            return replace(current, updated_at=now(), **changes).to_row()  # type: ignore[arg-type]

        key = ExportRow.key(export.owner, export.export_id)
        return ExportRow.from_row(await self._parts.store.update(key, change))

    async def _make_room(self, owner: str) -> None:
        """Refuse a second one at a time, forget old rows, and let go of what nobody holds."""
        found = await self._parts.store.list_rows(ExportRow.PREFIX)
        rows = [ExportRow.from_row(row) for _, row in found]
        running = {row.export_id for row in rows if row.state == "running"}
        own = sorted((row for row in rows if row.owner == owner), key=lambda row: row.created_at)
        for row in own:
            if row.export_id in running:
                raise ConflictError(
                    f"Another export, of adapter {row.adapter!r}, is under way.",
                    "Wait until it is done.",
                )
            if ending := self._tasks.get(row.export_id):
                # It was given up, and may still be clearing the very folder.
                await asyncio.wait({ending}, timeout=_END_S)
        for row in own[: max(0, len(own) - _KEPT_ROWS)]:
            await self._parts.store.delete(ExportRow.key(owner, row.export_id))
        await asyncio.to_thread(_sweep, self._held_folder("x").parent, running)

    def _held_folder(self, export_id: str) -> Path:
        return self._parts.config.artifacts / "exports" / export_id


def _clear(job: ExportJob) -> None:
    sweep_partial(job.folder)
    shutil.rmtree(job.checkpoint, ignore_errors=True)


def _sweep(root: Path, running: set[str]) -> None:
    for held in root.iterdir() if root.is_dir() else ():
        if held.name not in running:
            shutil.rmtree(held, ignore_errors=True)
