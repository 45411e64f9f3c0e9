"""Sweeps: from the wire to the domain and back."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request, Response

from twinkle_jupyter.runs.sweep_progress import SweepProgress
from twinkle_jupyter.service import sweeps
from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.request_bodies import body_schema, read_body
from twinkle_jupyter.service.sweep_bodies import summary_body, sweep_body
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.wire.sweeps import (
    ExtendSweepBody,
    PruneBody,
    StartSweepBody,
    SweepBody,
    SweepListBody,
)

router = APIRouter(tags=["sweeps"])


@router.post(
    "/sweeps",
    status_code=201,
    responses={200: {"model": SweepBody, "description": "The same sweep is already active"}},
    openapi_extra=body_schema(StartSweepBody),
)
async def start_sweep(
    request: Request, response: Response, parts: Parts, owner: Owner
) -> SweepBody:
    """Queue a run for each combination of the grid's values; all of them begin together."""
    body = await read_body(request, StartSweepBody)
    sweep, is_new = await sweeps.start_sweep(parts, owner, body)
    response.status_code = 201 if is_new else 200
    if is_new:
        await note_act(parts.store, owner, "run_started", sweep.sweep_id, sweep.name)
    return await sweep_body(_progress(request), sweep)


@router.get("/sweeps")
async def list_sweeps(parts: Parts, owner: Owner) -> SweepListBody:
    """List all sweeps, newest first."""
    found = await sweeps.list_sweeps(parts.store, owner)
    return SweepListBody(sweeps=tuple([await summary_body(parts.store, one) for one in found]))


@router.get("/sweeps/{sweep}")
async def get_sweep(
    request: Request,
    sweep: str,
    parts: Parts,
    owner: Owner,
    *,
    points: bool = False,
) -> SweepBody:
    """Return a sweep by its id or name, ranked; with its members' curves if asked for."""
    found = await sweeps.find_sweep(parts.store, owner, sweep)
    return await sweep_body(_progress(request), found, with_points=points)


@router.post("/sweeps/{sweep}/stop")
async def stop_sweep(request: Request, sweep: str, parts: Parts, owner: Owner) -> SweepBody:
    """End all members before their next step."""
    stopped = await sweeps.stop_sweep(parts.store, owner, sweep)
    return await sweep_body(_progress(request), stopped)


@router.post("/sweeps/{sweep}/prune", openapi_extra=body_schema(PruneBody))
async def prune_members(request: Request, sweep: str, parts: Parts, owner: Owner) -> SweepBody:
    """End some members before their next step."""
    await sweeps.find_sweep(parts.store, owner, sweep)
    body = await read_body(request, PruneBody)
    pruned = await sweeps.prune_members(parts.store, owner, sweep, body.members)
    return await sweep_body(_progress(request), pruned)


@router.post("/sweeps/{sweep}/extend", status_code=201, openapi_extra=body_schema(ExtendSweepBody))
async def extend_sweep(request: Request, sweep: str, parts: Parts, owner: Owner) -> SweepBody:
    """Add members with the same data."""
    await sweeps.find_sweep(parts.store, owner, sweep)
    body = await read_body(request, ExtendSweepBody)
    extended = await sweeps.extend_sweep(parts, owner, sweep, body.grid)
    return await sweep_body(_progress(request), extended)


def _progress(request: Request) -> SweepProgress:
    return cast("SweepProgress", request.app.state.sweep_progress)
