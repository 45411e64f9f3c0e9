"""Runs as the service handles them: started once, found by id or adapter, steered by wish.

A run is driven elsewhere. The service writes what is wanted into the run's row and wakes the driver
through the log `runs`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, cast

from pydantic import ValidationError

from twinkle_jupyter.config.mistakes import settings_error
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.run_record import RunRecord
from twinkle_jupyter.datasets.records import fingerprint
from twinkle_jupyter.datasets.run_rows import check_rows
from twinkle_jupyter.errors import (
    ConflictError,
    InvalidConfigError,
    NotFoundError,
    ServiceUnavailableError,
    TwinkleError,
)
from twinkle_jupyter.ids import new_adapter_id, new_run_id
from twinkle_jupyter.runs.events import StateChanged
from twinkle_jupyter.service.adapters import claim_adapter, get_adapter_run
from twinkle_jupyter.service.base_model_names import check_name
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.repeats import check_repeats, repeating_fields
from twinkle_jupyter.service.training_on import FirstWeights
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import RUNS_LOG, RunRow

#: Name of the base model where an adapter's name may stand.
BASE = "base"
#: What a run that is being stopped gets to end before a new one of its adapter is refused.
STOP_WAIT_S = 10.0

Command = Literal["pause", "resume", "stop"]
Keep = Literal["last", "best"]
_WANTED = {"pause": "paused", "resume": "running", "stop": "stopped"}


@dataclass(frozen=True, slots=True)
class _Checked:
    """A request that can be trained."""

    config: RunConfig
    lines: str
    fingerprint: str


async def start_run(
    parts: ServiceParts,
    owner: str,
    config: Mapping[str, object],
    records: Sequence[Mapping[str, object]],
    first: FirstWeights | None = None,
    repeats: RunRecord | None = None,
) -> tuple[RunRow, bool]:
    """Queue a run; tell whether it is new or was already active with this very input.

    It begins with `first`, or with an adapter that changes nothing; or it is `repeats` again.

    Raises:
        InvalidConfigError: Settings are wrong; all are named.
        InvalidDataError: Records cannot be trained on.
        ConflictError: Another run of this adapter is active.
        QuotaExceededError: The user has as many adapters as they may.
    """
    await check_name(parts, owner, config.get("base_model"))
    checked = await asyncio.to_thread(_check, parts, owner, config, records, first, repeats)
    name = checked.config.adapter
    active = await get_adapter_run(parts.store, owner, name)
    if active is not None and not active.is_over and active.wanted == "stopped":
        await wait_until_over(parts.store, active)
        active = await get_adapter_run(parts.store, owner, name)
    if active is not None and not active.is_over:
        return _same_or_conflict(active, checked), False
    run = RunRow(
        run_id=new_run_id(),
        owner=owner,
        adapter_id=new_adapter_id(),
        adapter=name,
        config=cast("Row", checked.config.model_dump(mode="json")),
        fingerprint=checked.fingerprint,
        parent_run=first.run_id if first else "",
        **(repeating_fields(repeats) if repeats else {}),  # type: ignore[arg-type]
    )
    folder = parts.config.run_folder(run.run_id)
    await asyncio.to_thread(write_records, folder, checked.lines)
    try:
        if first:
            await first.bring(folder)
        async with parts.quotas.room_for_adapters(owner, [name]):
            winner = await claim_adapter(parts.store, owner, name, run.run_id)
        if winner is not None:
            await asyncio.to_thread(shutil.rmtree, folder)
            return _same_or_conflict(winner, checked), False
        await parts.store.put(RunRow.key(run.run_id), run.to_row())
    except TwinkleError:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    await parts.store.append(
        RunRow.log(run.run_id), StateChanged(state="queued", step=0).to_entry()
    )
    await parts.store.append(RUNS_LOG, {"run_id": run.run_id})
    return run, True


async def find_run(store: StateStore, owner: str, name: str) -> RunRow:
    """Return a run by its id, or the newest run of an adapter by the adapter's name.

    Raises:
        NotFoundError: This user has no such run.
    """
    row = await store.get(RunRow.key(name))
    if row is not None and RunRow.from_row(row).owner == owner:
        return RunRow.from_row(row)
    found = await get_adapter_run(store, owner, name)
    if found is not None:
        return found
    runs = await list_runs(store, owner)
    for run in runs:  # of an adapter that was deleted
        if run.adapter == name:
            return run
    near = get_close_matches(name, {run.adapter for run in runs}, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "`%twinkle runs` lists yours."
    raise NotFoundError(f"There is no run or adapter {name!r}.", hint)


async def list_runs(store: StateStore, owner: str) -> list[RunRow]:
    """Return all runs of a user, newest first."""
    runs = [RunRow.from_row(row) for _, row in await store.list_rows(RunRow.key(""))]
    own = [run for run in runs if run.owner == owner]
    return sorted(own, key=lambda run: run.created_at, reverse=True)


async def steer_run(
    store: StateStore, owner: str, name: str, command: Command, keep: Keep = "last"
) -> RunRow:
    """Write what is wanted of a run; its driver takes it before the next step.

    Args:
        store: Has the run.
        owner: Whose it is.
        name: Which one.
        command: What is wanted.
        keep: Which weights a run that is stopped is to leave.

    Raises:
        NotFoundError: This user has no such run.
        ConflictError: It is over, is being stopped, or has no best step to keep.
    """
    run = await find_run(store, owner, name)

    def change(row: Row | None) -> Row:
        if row is None:
            raise NotFoundError(f"Run {run.run_id} is gone.")
        current = RunRow.from_row(row)
        if current.is_over or command != "stop":
            check_goes_on(current, "`%twinkle train` starts a new one.")
        if keep == "best" and not current.best_checkpoint:
            raise ConflictError(
                f"Run {current.run_id} has no eval loss yet, so it has no best step.",
                "Stop it with its newest weights, or wait for the first eval loss; a run has them"
                " with --eval-fraction above 0.",
            )
        kept = {"keep": keep} if command == "stop" else {}
        return current.changed(wanted=_WANTED[command], **kept).to_row()

    steered = RunRow.from_row(await store.update(RunRow.key(run.run_id), change))
    await store.append(RUNS_LOG, {"run_id": run.run_id, "command": command})
    return steered


def check_goes_on(run: RunRow, hint: str) -> None:
    """Refuse a run that is over, with what can be done instead, or that is being stopped.

    Raises:
        ConflictError: It is.
    """
    title = f"Run {run.run_id} of adapter {run.adapter!r}"
    if run.is_over:
        raise ConflictError(f"{title} is {run.state}.", hint)
    if run.wanted == "stopped":
        raise ConflictError(f"{title} is being stopped.", "`%twinkle train` starts a new one.")


def _check(
    parts: ServiceParts,
    owner: str,
    config: Mapping[str, object],
    records: Sequence[Mapping[str, object]],
    first: FirstWeights | None,
    repeats: RunRecord | None,
) -> _Checked:
    try:
        checked = RunConfig.model_validate(config)
    except ValidationError as error:
        raise settings_error(error) from error
    parts.quotas.check_max_length(owner, checked.max_length)
    if first:
        first.check(checked)
    parts.check_base_model(checked.base_model)
    clean = check_rows(records, checked.loss)
    if repeats and first:
        raise InvalidConfigError("A run that repeats another one begins as that one did, anew.")
    if repeats:
        check_repeats(repeats, checked, clean)
    settings = checked.model_dump_json() + (first.run_id or first.name if first else "")
    settings += repeats.model_dump_json() if repeats else ""
    digest = hashlib.sha256(f"{settings}\n{fingerprint(clean)}".encode()).hexdigest()
    lines = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in clean)
    return _Checked(checked, lines, digest)


def _same_or_conflict(active: RunRow, checked: _Checked) -> RunRow:
    if active.wanted != "stopped" and active.fingerprint == checked.fingerprint:
        return active
    name = active.adapter
    progress = f"step {active.step} of {active.total_steps}" if active.total_steps else active.state
    raise ConflictError(
        f"Adapter {name!r} is being trained by run {active.run_id} ({progress}).",
        f"Watch it with `%twinkle show {name}`, end it with `%twinkle stop-run {name}`, or take "
        "another name with --adapter.",
    )


async def wait_until_over(store: StateStore, run: RunRow) -> None:
    """Wait for the end of a run that is being stopped, but not for long."""
    log = RunRow.log(run.run_id)
    deadline = asyncio.get_running_loop().time() + STOP_WAIT_S
    while (remaining := deadline - asyncio.get_running_loop().time()) > 0:
        position = await store.last_position(log)
        row = await store.get(RunRow.key(run.run_id))
        if row is None or RunRow.from_row(row).is_over:
            return
        # The row may change without an entry, so look again after a while all the same.
        await store.wait(log, position, min(remaining, 0.5))


def write_records(folder: Path, lines: str) -> None:
    """Write `records.jsonl`, whole or not at all, and on disk when this returns."""
    draft = folder / "records.jsonl.part"
    try:
        folder.mkdir(parents=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / "records.jsonl")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ServiceUnavailableError(
            f"The records cannot be written: {error.strerror}.", "Free some space, then try again."
        ) from error
