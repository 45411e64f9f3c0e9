"""What a run depends on, and the rows that it was trained on: what it takes to repeat it."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import FileResponse

from twinkle_jupyter.config.run_record import RECORD_FILE, RECORDS_FILE, RunRecord
from twinkle_jupyter.errors import ConflictError, NotFoundError
from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.runs import find_run

router = APIRouter(tags=["runs"])


@router.get("/runs/{run}/record")
async def get_record(run: str, parts: Parts, owner: Owner) -> RunRecord:
    """Return a run's record; how it ended is in it once it has."""
    found = await find_run(parts.store, owner, run)
    path = parts.config.run_folder(found.run_id) / RECORD_FILE
    try:
        return RunRecord.model_validate_json(await asyncio.to_thread(path.read_bytes))
    except FileNotFoundError as error:
        raise ConflictError(
            f"Run {found.run_id} has no record yet.",
            "It is written with the first steps; a run that failed before has none.",
        ) from error


@router.get(
    "/runs/{run}/records",
    response_class=FileResponse,
    responses={200: {"content": {"application/x-ndjson": {}}}},
)
async def get_records(run: str, parts: Parts, owner: Owner) -> FileResponse:
    """Return the rows that a run was given, one a line."""
    found = await find_run(parts.store, owner, run)
    path = parts.config.run_folder(found.run_id) / RECORDS_FILE
    if not await asyncio.to_thread(path.is_file):
        raise NotFoundError(f"Run {found.run_id} has no rows any more.")
    return FileResponse(path, media_type="application/x-ndjson")
