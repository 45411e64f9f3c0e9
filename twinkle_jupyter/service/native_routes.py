"""Service, runs and adapters of the native protocol: from the wire to the domain and back."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request, Response

from twinkle_jupyter import __version__
from twinkle_jupyter.config.run_record import parse_record
from twinkle_jupyter.service import adapters as adapter_rows
from twinkle_jupyter.service import runs as run_rows
from twinkle_jupyter.service.adapter_details import with_details
from twinkle_jupyter.service.adapter_files import AdapterFiles
from twinkle_jupyter.service.asker import CurrentAsker, Owner
from twinkle_jupyter.service.clients.client_models import (
    delete_client_adapter,
    find_client_adapter,
    list_client_models,
)
from twinkle_jupyter.service.notice_bodies import broadcast_body, maintenance_body
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.request_bodies import body_schema, read_body
from twinkle_jupyter.service.run_bodies import adapter_body, client_model_body, run_body
from twinkle_jupyter.service.training_on import find_first_weights
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.notices import read_notices
from twinkle_jupyter.store.records import BaseModelRow, PhaseRow
from twinkle_jupyter.wire.native import (
    AdapterListBody,
    Phase,
    RunBody,
    RunListBody,
    ServiceBody,
    StartRunBody,
    StopBody,
)

router = APIRouter()


@router.get("/service", tags=["service"])
async def get_service(parts: Parts, owner: Owner) -> ServiceBody:
    """Tell what the service is and does."""
    row: Row = await parts.store.get(PhaseRow.KEY) or PhaseRow("starting").to_row()
    runs = await run_rows.list_runs(parts.store, owner)
    models = [
        BaseModelRow.from_row(row) for _, row in await parts.store.list_rows(BaseModelRow.PREFIX)
    ]
    others = [model.name for model in models if model.name != parts.config.base_model]
    maintenance, broadcast = await read_notices(parts.store)
    return ServiceBody(
        version=__version__,
        phase=cast("Phase", row["phase"]),
        message=str(row["message"]),
        base_models=(parts.config.base_model, *others),
        computed_in={model.name: model.computed_in for model in models if model.dtype},
        num_active_runs=sum(1 for run in runs if not run.is_over),
        broadcast=broadcast_body(broadcast),
        maintenance=maintenance_body(maintenance),
    )


@router.post(
    "/runs",
    status_code=201,
    responses={200: {"model": RunBody, "description": "The same run is already active"}},
    openapi_extra=body_schema(StartRunBody),
    tags=["runs"],
)
async def start_run(
    request: Request, response: Response, parts: Parts, asker: CurrentAsker
) -> RunBody:
    """Queue a run; one with the same settings and records that is still active is answered."""
    body = await read_body(request, StartRunBody)
    owner, first = asker.owner, None
    if body.from_adapter is not None:
        files = cast("AdapterFiles", request.app.state.adapter_files)
        first = await find_first_weights(parts, files, asker, body.from_adapter)
    repeats = None if body.repeats is None else parse_record(body.repeats, "repeats")
    run, is_new = await run_rows.start_run(parts, owner, body.config, body.records, first, repeats)
    response.status_code = 201 if is_new else 200
    if is_new:
        await note_act(parts.store, owner, "run_started", run.run_id, run.adapter)
    return await run_body(parts, run)


@router.get("/runs", tags=["runs"])
async def list_runs(parts: Parts, owner: Owner) -> RunListBody:
    """List all runs, newest first."""
    runs = await run_rows.list_runs(parts.store, owner)
    return RunListBody(runs=tuple([await run_body(parts, run) for run in runs]))


@router.get("/runs/{run}", tags=["runs"])
async def get_run(run: str, parts: Parts, owner: Owner) -> RunBody:
    """Return a run by its id, or an adapter's newest run by the adapter's name."""
    return await run_body(parts, await run_rows.find_run(parts.store, owner, run))


@router.post("/runs/{run}/pause", tags=["runs"])
async def pause_run(run: str, parts: Parts, owner: Owner) -> RunBody:
    """Let the run rest before its next step."""
    return await run_body(parts, await run_rows.steer_run(parts.store, owner, run, "pause"))


@router.post("/runs/{run}/resume", tags=["runs"])
async def resume_run(run: str, parts: Parts, owner: Owner) -> RunBody:
    """Let a paused run go on."""
    return await run_body(parts, await run_rows.steer_run(parts.store, owner, run, "resume"))


@router.post("/runs/{run}/stop", openapi_extra=body_schema(StopBody), tags=["runs"])
async def stop_run(request: Request, run: str, parts: Parts, owner: Owner) -> RunBody:
    """End the run before its next step, with a checkpoint; `keep` says which weights it leaves."""
    body = await read_body(request, StopBody) if await request.body() else StopBody()
    stopped = await run_rows.steer_run(parts.store, owner, run, "stop", body.keep)
    await note_act(parts.store, owner, "run_stopped", stopped.run_id, stopped.adapter)
    return await run_body(parts, stopped)


@router.get("/adapters", tags=["adapters"])
async def list_adapters(
    parts: Parts,
    owner: Owner,
    details: bool = False,  # noqa: FBT001, FBT002 - a query
) -> AdapterListBody:
    """List all adapters: by name as their newest runs have them, then those of Tinker clients.

    `details` reads every checkpoint's manifest and asks the trainers.
    """
    runs = await adapter_rows.list_adapter_runs(parts.store, owner)
    models = await list_client_models(parts, owner)
    bodies = [adapter_body(parts, run) for run in runs]
    bodies += [client_model_body(one) for one in models]
    if details:
        bodies = await with_details(parts, bodies, runs, models)
    return AdapterListBody(adapters=tuple(bodies))


@router.delete("/adapters/{name}", status_code=204, tags=["adapters"])
async def delete_adapter(name: str, parts: Parts, owner: Owner) -> None:
    """Delete an adapter's weights; its runs keep their curves."""
    if (row := await find_client_adapter(parts, owner, name)) is not None:
        await delete_client_adapter(parts, row)
    else:
        await adapter_rows.delete_adapter(parts, owner, name)
    await note_act(parts.store, owner, "adapter_deleted", name)
