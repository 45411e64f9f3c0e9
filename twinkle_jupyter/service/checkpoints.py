"""A run's checkpoints: which there are, one more now, a name that keeps one, one less."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from twinkle_jupyter.errors import (
    ConflictError,
    InvalidDataError,
    NotFoundError,
    ServiceUnavailableError,
)
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.runs.events import Steered
from twinkle_jupyter.service.held_checkpoints import find_checkpoint
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.runs import find_run
from twinkle_jupyter.service.share_rows import forget_shares
from twinkle_jupyter.service.steering import wish_for_checkpoint
from twinkle_jupyter.store.artifacts import delete_folder, has_folder, list_folders, read_manifest
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import CheckpointLabel, RunRow

#: A checkpoint that was asked for is there after the step under way, which may be a long one.
_WAIT_S = 60.0
_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One of a run's checkpoints."""

    step: int
    name: str
    folder: Path
    size_bytes: int
    #: ISO 8601, UTC.
    created_at: str
    is_best: bool
    label: str
    #: ISO 8601, UTC; empty for one that its label keeps for good, or that has none.
    expires_at: str


async def list_checkpoints(parts: ServiceParts, owner: str, name: str) -> list[Checkpoint]:
    """Return a run's checkpoints, oldest first.

    Raises:
        NotFoundError: This user has no such run.
    """
    run = await find_run(parts.store, owner, name)
    labels = await _read_labels(parts.store, run)
    return await asyncio.to_thread(_list, parts, run, labels)


async def make_checkpoint(
    parts: ServiceParts, owner: str, name: str, label: str, ttl_seconds: int | None
) -> Checkpoint:
    """Keep what a run has now under a label: an active one saves it before its next step.

    Raises:
        NotFoundError: This user has no such run.
        ConflictError: It has not taken a step yet.
        ServiceUnavailableError: It is not there yet, and will be.
    """
    run = await find_run(parts.store, owner, name)
    if run.is_over:
        newest = await asyncio.to_thread(find_checkpoint, parts, run, None)
        checkpoint = newest.name
    else:
        checkpoint = await _save_now(parts, run)
    expires_at = ""
    if ttl_seconds is not None:
        moment = datetime.now(tz=UTC) + timedelta(seconds=ttl_seconds)
        expires_at = moment.isoformat(timespec="milliseconds")
    row = CheckpointLabel(label, expires_at)
    await parts.store.put(CheckpointLabel.key(run.run_id, checkpoint), row.to_row())
    found = {one.name: one for one in await list_checkpoints(parts, owner, run.run_id)}
    if checkpoint not in found:
        raise ConflictError(
            f"Checkpoint {checkpoint!r} has just made room for a newer one.", "Try again."
        )
    return found[checkpoint]


async def delete_checkpoint(parts: ServiceParts, owner: str, name: str, checkpoint: str) -> None:
    """Delete one, and its label.

    Raises:
        NotFoundError: There is no such run or checkpoint.
        ConflictError: It is what the adapter stands for, or the best one.
    """
    run = await find_run(parts.store, owner, name)
    folders = {one.name: one.folder for one in await list_checkpoints(parts, owner, run.run_id)}
    if checkpoint not in folders:
        names = ", ".join(folders) or "none"
        raise NotFoundError(
            f"Run {run.run_id} has no checkpoint {checkpoint!r}.", f"There are: {names}."
        )
    if checkpoint in {run.checkpoint, run.best_checkpoint}:
        what = "the newest" if checkpoint == run.checkpoint else "the best"
        raise ConflictError(
            f"Checkpoint {checkpoint!r} is {what} of adapter {run.adapter!r}.",
            f"`%twinkle delete {run.adapter}` deletes the adapter with all of them.",
        )
    await parts.store.delete(CheckpointLabel.key(run.run_id, checkpoint))
    await forget_shares(parts.store, owner, run.run_id, checkpoint)
    await asyncio.to_thread(delete_folder, folders[checkpoint])


async def _save_now(parts: ServiceParts, run: RunRow) -> str:
    """Wish for a checkpoint and wait until it is whole; return its name."""
    store, log = parts.store, RunRow.log(run.run_id)
    position = await store.last_position(log)
    number = await wish_for_checkpoint(store, run)
    deadline = asyncio.get_running_loop().time() + _WAIT_S
    name = ""
    while (remaining := deadline - asyncio.get_running_loop().time()) > 0:
        for entry in await store.read(log, position):
            position = entry.position
            if entry.entry["kind"] == Steered.kind and entry.entry["wish"] == number:
                name = Checkpoints.name(cast("int", entry.entry["step"]) - 1)
        if name == Checkpoints.name(0):
            raise ConflictError(
                f"Run {run.run_id} has not taken a step yet.", "Try again after its first."
            )
        if name and await _is_whole(parts, run, name):
            return name
        await store.wait(log, position, min(remaining, _POLL_S))
    raise ServiceUnavailableError(
        f"Run {run.run_id} did not come to a checkpoint within {_WAIT_S:.0f} s.",
        "It comes with the run's next step; `%twinkle checkpoints` shows it then.",
    )


async def _is_whole(parts: ServiceParts, run: RunRow, name: str) -> bool:
    return await asyncio.to_thread(has_folder, parts.config.checkpoint_folder(run.run_id, name))


async def _read_labels(store: StateStore, run: RunRow) -> dict[str, CheckpointLabel]:
    prefix = CheckpointLabel.key(run.run_id, "")
    rows = await store.list_rows(prefix)
    return {key.removeprefix(prefix): CheckpointLabel.from_row(row) for key, row in rows}


def _list(parts: ServiceParts, run: RunRow, labels: dict[str, CheckpointLabel]) -> list[Checkpoint]:
    root = parts.config.checkpoint_folder(run.run_id, "-").parent
    none = CheckpointLabel("")
    found = []
    for name in list_folders(root):
        folder, label = root / name, labels.get(name, none)
        try:
            written = datetime.fromtimestamp(folder.stat().st_mtime, tz=UTC)
            size_bytes = read_manifest(folder).size_bytes
        except (FileNotFoundError, NotFoundError, InvalidDataError):
            continue  # the run has let go of it since it was found
        found.append(
            Checkpoint(
                step=Checkpoints.step(name),
                name=name,
                folder=folder,
                size_bytes=size_bytes,
                created_at=written.isoformat(timespec="milliseconds"),
                is_best=name == run.best_checkpoint,
                label="" if label.has_expired else label.label,
                expires_at="" if label.has_expired else label.expires_at,
            )
        )
    return found
