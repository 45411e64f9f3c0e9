"""How a client of the Twinkle protocol makes objects that prepare data, and calls them."""

from __future__ import annotations

import asyncio
import json

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import JsonValue

from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.twinkle.processor_calls import ExhaustedError, call
from twinkle_jupyter.service.twinkle.route import TwinkleRoute
from twinkle_jupyter.service.twinkle.state import State
from twinkle_jupyter.wire.twinkle_bodies import CallBody, CreateProcessorBody

router = APIRouter(tags=["twinkle"], route_class=TwinkleRoute, prefix="/processor/twinkle")


@router.post("/create")
async def create(body: CreateProcessorBody, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Make a data set, a loader or the like."""
    row = await state.processors.create(owner, body.processor_type, body.class_type, body.arguments)
    return {"processor_id": row.processor_id}


@router.post("/call", response_model=None)
async def call_function(body: CallBody, state: State, owner: Owner) -> Response:
    """Call one of its functions; 410 at the end of a pass over rows."""
    row = await state.processors.get(owner, body.processor_id)
    try:
        result = await call(state.processors, row, body.function, body.arguments)
    except ExhaustedError as error:
        return JSONResponse({"detail": str(error)}, 410)
    # A batch, or a whole data set: written on a thread.
    text = await asyncio.to_thread(json.dumps, {"result": result})
    return Response(text, media_type="application/json")
