"""Runs that go on from a step of another one: its weights, its optimizer, its place in the data.

What a fork begins with lies in its folder before anybody can see it, linked from the parent's
checkpoint: whatever becomes of the parent, the fork has it.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from twinkle_jupyter.config.mistakes import settings_error
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.steering import apply_changes
from twinkle_jupyter.errors import ConflictError, InvalidConfigError, TwinkleError
from twinkle_jupyter.ids import new_adapter_id, new_run_id
from twinkle_jupyter.runs.checkpoints import ORIGIN, Checkpoints
from twinkle_jupyter.runs.events import StateChanged, Steered
from twinkle_jupyter.runs.references import REFERENCE_FILE
from twinkle_jupyter.runs.steering import Steering
from twinkle_jupyter.service.adapters import claim_adapter, get_adapter_run
from twinkle_jupyter.service.held_checkpoints import find_checkpoint, hold_checkpoint
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.runs import find_run, steer_run, wait_until_over
from twinkle_jupyter.store.artifacts import link_or_copy
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import RUNS_LOG, RunRow

_PAGE = 2000
_MAX_NAMES = 1000


@dataclass(frozen=True, slots=True)
class _Point:
    """A step of a run, and what is known of it."""

    run: RunRow
    checkpoint: Path
    step: int
    #: Settings that this step was taken with.
    config: RunConfig
    #: Rows trained on until then.
    num_rows: int


async def fork_run(
    parts: ServiceParts,
    owner: str,
    name: str,
    *,
    step: int | None,
    adapter: str,
    changes: Mapping[str, object],
) -> RunRow:
    """Start a run from a step of another one, under a name of its own.

    Args:
        parts: Of the service.
        owner: Whose both are.
        name: The other run.
        step: One that there is a checkpoint of; None for the newest.
        adapter: Its name; "" for the next one that is free.
        changes: Settings that differ.

    Raises:
        NotFoundError: There is no such run, or no checkpoint of that step.
        ConflictError: There is an adapter of that name, or the run has no checkpoint yet.
        InvalidConfigError: The changes make no sense, or leave no step to take.
    """
    point = await _find_point(parts, await find_run(parts.store, owner, name), step)
    free = adapter or await _free_name(parts.store, owner, point.run.adapter)
    config = _config_of_child(point, free, changes)
    if await get_adapter_run(parts.store, owner, free) is not None:
        raise ConflictError(
            f"There is an adapter {free!r} already.", "Take another name with --adapter."
        )
    return await _start(parts, point, config)


async def rewind_run(
    parts: ServiceParts, owner: str, name: str, *, step: int, changes: Mapping[str, object]
) -> RunRow:
    """Go on from an earlier step under the same name; what came after it stays in the old run.

    Raises as `fork_run`, and:
        ConflictError: The run does not end in time.
    """
    point = await _find_point(parts, await find_run(parts.store, owner, name), step)
    config = _config_of_child(point, point.run.adapter, changes)
    return await _start(parts, point, config)


async def _find_point(parts: ServiceParts, run: RunRow, step: int | None) -> _Point:
    checkpoint = await asyncio.to_thread(find_checkpoint, parts, run, step)
    at = Checkpoints.step(checkpoint.name)
    # How many rows there are would only matter for how long the run is to be.
    steering = Steering(
        RunConfig.model_validate(dict(run.config)),
        num_rows=1,
        first_step=run.parent_step + 1,
        num_rows_before=run.parent_rows,
    )
    steered = await _read_steered(parts.store, run)
    steering.replay(entry for entry in steered if cast("int", entry["step"]) <= at)
    return _Point(run, checkpoint, at, steering.config_at(at), steering.rows_at(at + 1).start)


async def _read_steered(store: StateStore, run: RunRow) -> list[Row]:
    steered: list[Row] = []
    after = 0
    while page := await store.read(RunRow.log(run.run_id), after, _PAGE):
        steered += [one.entry for one in page if one.entry["kind"] == Steered.kind]
        after = page[-1].position
    return steered


def _config_of_child(point: _Point, adapter: str, changes: Mapping[str, object]) -> RunConfig:
    config = point.config.model_copy(update={"adapter": adapter})
    if changes:
        config = apply_changes(config, changes)
    try:  # also the name is one of a new run
        config = RunConfig.model_validate(config.model_dump())
    except ValidationError as error:
        raise settings_error(error) from error
    total_steps = config.steps
    if total_steps is None and not {"epochs", "batch_size"} & changes.keys():
        total_steps = point.run.total_steps or None
    if total_steps is not None and total_steps <= point.step:
        raise InvalidConfigError(
            f"`steps={total_steps}` leaves nothing to do after step {point.step}.",
            f"Say how far it is to go, as in --steps {2 * point.step}.",
        )
    return config


async def _free_name(store: StateStore, owner: str, name: str) -> str:
    for number in range(2, _MAX_NAMES):
        candidate = f"{name[:58]}-{number}"
        if await get_adapter_run(store, owner, candidate) is None:
            return candidate
    raise ConflictError(f"There are {_MAX_NAMES} forks of {name!r}.", "Name this one: --adapter.")


async def _start(parts: ServiceParts, point: _Point, config: RunConfig) -> RunRow:
    """Make the run's folder, end its predecessor under the name if there is one, and queue it."""
    parent, store = point.run, parts.store
    child = RunRow(
        run_id=new_run_id(),
        owner=parent.owner,
        adapter_id=new_adapter_id(),
        adapter=config.adapter,
        config=cast("Row", config.model_dump(mode="json")),
        fingerprint=_fingerprint(point, config),
        step=point.step,
        parent_run=parent.run_id,
        parent_step=point.step,
        parent_rows=point.num_rows,
    )
    folder = parts.config.run_folder(child.run_id)
    records = parts.config.run_folder(parent.run_id) / "records.jsonl"
    parts.quotas.check_max_length(parent.owner, config.max_length)
    if not await asyncio.to_thread(records.is_file):
        raise ConflictError(
            f"Run {parent.run_id} has no rows to go on with: {parent.adapter!r} was imported.",
            f"`%twinkle train … --from-adapter {parent.adapter}` begins with its weights.",
        )
    try:
        await asyncio.to_thread(hold_checkpoint, point.checkpoint, folder / ORIGIN)
        await asyncio.to_thread(link_or_copy, records, folder / records.name)
        reference = records.with_name(REFERENCE_FILE)
        if await asyncio.to_thread(reference.is_file):
            await asyncio.to_thread(link_or_copy, reference, folder / reference.name)
        if config.adapter == parent.adapter:
            await _end(store, parent)
        async with parts.quotas.room_for_adapters(parent.owner, [config.adapter]):
            winner = await claim_adapter(store, parent.owner, config.adapter, child.run_id)
        if winner is not None:
            raise ConflictError(
                f"Adapter {winner.adapter!r} is being trained by run {winner.run_id}.",
                "Take another name with --adapter, or stop that run first.",
            )
        await store.put(RunRow.key(child.run_id), child.to_row())
    except (TwinkleError, OSError):
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    queued = StateChanged(state="queued", step=point.step)
    await store.append(RunRow.log(child.run_id), queued.to_entry())
    await store.append(RUNS_LOG, {"run_id": child.run_id})
    return child


async def _end(store: StateStore, run: RunRow) -> None:
    """Stop a run that is active, and wait for its end."""
    row = await store.get(RunRow.key(run.run_id))
    if row is None or RunRow.from_row(row).is_over:
        return
    await steer_run(store, run.owner, run.run_id, "stop")
    await wait_until_over(store, run)


def _fingerprint(point: _Point, config: RunConfig) -> str:
    origin = f"{point.run.run_id}@{point.step}\n{config.model_dump_json()}"
    return hashlib.sha256(origin.encode()).hexdigest()
