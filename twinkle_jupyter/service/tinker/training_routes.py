"""How a client of the Tinker protocol trains: models, ops by sequence id, and their futures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import JsonValue

from twinkle_jupyter.config.model_folder import read_json_object
from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.runs.base_model_wishes import read_base_model
from twinkle_jupyter.service.adapter_files import is_loopback
from twinkle_jupyter.service.asker import CurrentAsker, Owner
from twinkle_jupyter.service.json_bodies import read_json
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.request_bodies import body_schema
from twinkle_jupyter.service.tinker import creating, loading, ops
from twinkle_jupyter.service.tinker.future_names import FutureName
from twinkle_jupyter.service.tinker.route import TinkerRoute
from twinkle_jupyter.service.tinker.samples import GoneError
from twinkle_jupyter.service.tinker.state import State
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.wire.tinker_bodies import (
    CreateModelBody,
    LoadWeightsBody,
    ModelBody,
    OptimStepBody,
    PassBody,
    RetrieveBody,
)
from twinkle_jupyter.wire.tinker_codec import PROTOBUF, decode_json, decode_protobuf

router = APIRouter(tags=["tinker"], route_class=TinkerRoute)


@router.post("/create_model")
async def create_model(
    body: CreateModelBody, parts: Parts, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Begin an adapter."""
    await state.sessions.get(owner, body.session_id)
    model_id = ClientAdapterRow.name_model(body.session_id, body.model_seq_id)
    await creating.create(parts, state.adapters, owner, model_id, body)
    return FutureName("create_model", 0, model_id).as_body()


@router.post("/get_info")
async def get_info(
    body: ModelBody, parts: Parts, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Describe an adapter."""
    row = await state.adapters.get(owner, body.model_id)
    model = await read_base_model(parts.store, row.base_model)
    folder = model.folder if model is not None else ""
    arch: object = None
    if folder:
        config = await asyncio.to_thread(read_json_object, Path(folder) / "config.json")
        arch = config.get("model_type")
    data: dict[str, JsonValue] = {
        "arch": arch if isinstance(arch, str) else None,
        "model_name": row.base_model,
        # A folder is a tokenizer's name for a client on this machine only.
        "tokenizer_id": folder if folder and is_loopback(parts.config.http.host) else None,
    }
    return {
        "type": "get_info",
        "model_id": row.adapter_id,
        "model_data": data,
        "model_name": row.base_model,
        "is_lora": True,
        "lora_rank": row.rank,
        "optimizer_config": {"type": "adamw"},
    }


@router.post("/unload_model")
async def unload_model(body: ModelBody, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Give an adapter's slot back."""
    row = await state.adapters.get(owner, body.model_id)
    return FutureName("unload_model", 0, row.adapter_id).as_body()


@router.post("/forward_backward", openapi_extra=body_schema(PassBody))
async def forward_backward(
    request: Request,
    state: State,
    owner: Owner,
    content_type: Annotated[str, Header()] = "",
    content_encoding: Annotated[str, Header()] = "",
) -> dict[str, JsonValue]:
    """Take in a pass, as protobuf or as older clients' JSON."""
    body = await request.body()
    if content_encoding not in ("", "identity"):
        raise InvalidDataError(f"Content-Encoding {content_encoding!r} is not read; send it plain.")
    if content_type.partition(";")[0].strip() == PROTOBUF:
        decoded = await asyncio.to_thread(decode_protobuf, body)
    else:
        content = await read_json(body)
        decoded = await asyncio.to_thread(decode_json, content, forward_only=False)
    row = await state.adapters.get(owner, decoded.model_id)
    return (await ops.accept_loss(state, row, decoded)).as_body()


@router.post("/forward", openapi_extra=body_schema(PassBody))
async def forward(request: Request, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Take in a forward pass of a client that has a route of its own for it."""
    content = await read_json(await request.body())
    decoded = await asyncio.to_thread(decode_json, content, forward_only=True)
    row = await state.adapters.get(owner, decoded.model_id)
    return (await ops.accept_loss(state, row, decoded)).as_body()


@router.post("/optim_step")
async def optim_step(body: OptimStepBody, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Take in an optimizer step."""
    row = await state.adapters.get(owner, body.model_id)
    return (await ops.accept_optim_step(state, row, body)).as_body()


@router.post("/load_weights")
async def load_weights(
    body: LoadWeightsBody, parts: Parts, state: State, asker: CurrentAsker
) -> dict[str, JsonValue]:
    """Load saved weights into a model, or as a new one."""
    if body.model_id is not None:
        row = await state.adapters.get(asker.owner, body.model_id)
        return (await loading.load_into(parts, state.adapters, asker, row, body)).as_body()
    if body.session_id is None or body.model_seq_id is None:
        raise InvalidDataError("Either model_id and seq_id, or session_id and model_seq_id.")
    await state.sessions.get(asker.owner, body.session_id)
    model_id = ClientAdapterRow.name_model(body.session_id, body.model_seq_id)
    return (await loading.load_new(parts, state.adapters, asker, model_id, body)).as_body()


@router.post("/retrieve_future", response_model=None)
async def retrieve_future(
    body: RetrieveBody,
    parts: Parts,
    state: State,
    owner: Owner,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Wait for what came of a request; 408 says to ask again, 410 to submit it again."""
    name = FutureName.parse(body.request_id)
    try:
        reply = await state.futures.retrieve(owner, name, as_protobuf=PROTOBUF in accept)
    except GoneError as error:
        return JSONResponse({"detail": str(error)}, 410)
    if reply is None:
        why = parts.quotas.pause_of(owner)
        paused = {"queue_state": "paused_rate_limit", "queue_state_reason": why}
        return JSONResponse(paused if why else {"queue_state": "active"}, 408)
    return Response(reply.content, media_type=reply.media_type)


@router.post("/cancel_future")
async def cancel_future(body: RetrieveBody, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Stop a sample; other requests are carried out."""
    await state.samples.cancel(owner, body.request_id)
    return {}
