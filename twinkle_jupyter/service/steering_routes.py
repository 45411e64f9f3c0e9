"""Steering, forks and checkpoints of runs: from the wire to the domain and back."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request

from twinkle_jupyter.service import checkpoints, forks, steering
from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.parts import Parts, ServiceParts
from twinkle_jupyter.service.request_bodies import Body, body_schema, read_body
from twinkle_jupyter.service.run_bodies import run_body
from twinkle_jupyter.service.runs import find_run
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.wire.native import (
    CheckpointBody,
    CheckpointListBody,
    ForkBody,
    KeepBody,
    RewindBody,
    RunBody,
    SetBody,
)

router = APIRouter(tags=["runs"])


@router.post("/runs/{run}/set", openapi_extra=body_schema(SetBody))
async def set_run(request: Request, run: str, parts: Parts, owner: Owner) -> RunBody:
    """Change settings of a run that goes on, from its next step."""
    body = await _read(request, SetBody, parts, owner, run)
    return await run_body(parts, await steering.set_run(parts.store, owner, run, body.changes))


@router.post("/runs/{run}/fork", status_code=201, openapi_extra=body_schema(ForkBody))
async def fork_run(request: Request, run: str, parts: Parts, owner: Owner) -> RunBody:
    """Start a run from a step of this one: its weights, its optimizer, its place in the data."""
    body = await _read(request, ForkBody, parts, owner, run)
    child = await forks.fork_run(
        parts, owner, run, step=body.step, adapter=body.adapter, changes=body.changes
    )
    return await _started(parts, child, "forked from", run)


@router.post("/runs/{run}/rewind", status_code=201, openapi_extra=body_schema(RewindBody))
async def rewind_run(request: Request, run: str, parts: Parts, owner: Owner) -> RunBody:
    """Go on from an earlier step under the same name, in a new run; an active one is stopped."""
    body = await _read(request, RewindBody, parts, owner, run)
    child = await forks.rewind_run(parts, owner, run, step=body.step, changes=body.changes)
    return await _started(parts, child, "rewound from", run)


@router.get("/runs/{run}/checkpoints")
async def list_checkpoints(run: str, parts: Parts, owner: Owner) -> CheckpointListBody:
    """List a run's checkpoints, oldest first."""
    found = await checkpoints.list_checkpoints(parts, owner, run)
    return CheckpointListBody(checkpoints=tuple(_body(one) for one in found))


@router.post("/runs/{run}/checkpoints", status_code=201, openapi_extra=body_schema(KeepBody))
async def make_checkpoint(request: Request, run: str, parts: Parts, owner: Owner) -> CheckpointBody:
    """Make a checkpoint now, or take the newest of a run that is over, and keep it."""
    has_body = bool(await request.body())
    body = await _read(request, KeepBody, parts, owner, run) if has_body else KeepBody()
    made = await checkpoints.make_checkpoint(parts, owner, run, body.name, body.ttl_seconds)
    return _body(made)


@router.delete("/runs/{run}/checkpoints/{checkpoint}", status_code=204)
async def delete_checkpoint(run: str, checkpoint: str, parts: Parts, owner: Owner) -> None:
    """Delete one checkpoint, but not what the adapter stands for."""
    await checkpoints.delete_checkpoint(parts, owner, run, checkpoint)
    await note_act(parts.store, owner, "checkpoint_deleted", f"{run}/{checkpoint}")


async def _started(parts: ServiceParts, child: RunRow, how: str, parent: str) -> RunBody:
    detail = f"{child.adapter}, {how} {parent}"
    await note_act(parts.store, child.owner, "run_started", child.run_id, detail)
    return await run_body(parts, child)


async def _read(
    request: Request, model: type[Body], parts: ServiceParts, owner: str, run: str
) -> Body:
    """Read a body for a run of this user; a run of another one is not found, whatever is asked."""
    await find_run(parts.store, owner, run)
    return await read_body(request, model)


def _body(checkpoint: checkpoints.Checkpoint) -> CheckpointBody:
    return CheckpointBody(**{**asdict(checkpoint), "folder": str(checkpoint.folder)})
