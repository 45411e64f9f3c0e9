"""How a client of the Tinker protocol begins: configuration, session, heartbeats, capabilities."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from fastapi import APIRouter
from pydantic import JsonValue

from twinkle_jupyter.config.model_folder import read_json_object
from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.supported_models import list_base_models
from twinkle_jupyter.service.tinker.paging import Limit, Offset
from twinkle_jupyter.service.tinker.route import TinkerRoute
from twinkle_jupyter.service.tinker.state import State
from twinkle_jupyter.store.records import BaseModelRow
from twinkle_jupyter.wire.tinker_bodies import (
    CreateSessionBody,
    FinishSessionBody,
    SessionBody,
)
from twinkle_jupyter.wire.tinker_client_config import CLIENT_CONFIG, DYNAMIC_CONFIG

router = APIRouter(tags=["tinker"], route_class=TinkerRoute)


@router.post("/client/config")
async def get_client_config() -> dict[str, JsonValue]:
    """Tell a client how to send."""
    return dict(CLIENT_CONFIG)


@router.post("/client/dynamic_config")
async def get_dynamic_config() -> dict[str, JsonValue]:
    """Tell a client what may change while it runs."""
    return dict(DYNAMIC_CONFIG)


@router.post("/telemetry")
async def take_telemetry() -> dict[str, JsonValue]:
    """Take what a client tells of itself, and keep nothing of it."""
    return {"status": "accepted"}


@router.get("/healthz")
async def get_health() -> dict[str, JsonValue]:
    """Answer that the service answers."""
    return {"status": "ok"}


@router.post("/create_session")
async def create_session(
    body: CreateSessionBody, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Begin a session."""
    row = await state.sessions.open(owner, body)
    return {"type": "create_session", "session_id": row.session_id}


@router.post("/session_heartbeat")
async def beat(body: SessionBody, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Take note that a client is there."""
    await state.sessions.heard(owner, body.session_id)
    return {"type": "session_heartbeat"}


@router.post("/sessions/{session_id}/finish")
async def finish_session(
    session_id: str, body: FinishSessionBody, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """End a session."""
    await state.sessions.finish(owner, session_id, body.reason.type)
    return {}


@router.get("/sessions")
async def list_sessions(
    state: State, owner: Owner, limit: Limit = 20, offset: Offset = 0
) -> dict[str, JsonValue]:
    """List the user's sessions, newest first."""
    rows = await state.sessions.of(owner)
    return {"sessions": [row.session_id for row in rows[offset : offset + limit]]}


@router.get("/sessions/{session_id}")
async def get_session(session_id: str, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Say what belongs to a session."""
    row = await state.sessions.get(owner, session_id)
    adapters = await state.adapters.of(owner)
    samplers = await state.sampling_sessions.of_session(owner, session_id)
    return {
        "training_run_ids": [a.adapter_id for a in adapters if a.session_id == session_id],
        "sampler_ids": [one.sampling_session_id for one in samplers],
        "user_metadata": cast("JsonValue", row.user_metadata),
        "display_name": row.display_name or None,
    }


@router.get("/get_server_capabilities")
async def get_capabilities(parts: Parts) -> dict[str, JsonValue]:
    """List the base models that are loaded or will be."""
    return {"supported_models": [await _describe(row) for row in await list_base_models(parts)]}


async def _describe(row: BaseModelRow) -> JsonValue:
    body: dict[str, JsonValue] = {"model_name": row.name, "trainable": True, "sampleable": True}
    if row.folder:
        config = await asyncio.to_thread(read_json_object, Path(row.folder) / "config.json")
        length = config.get("max_position_embeddings")
        if isinstance(length, int):
            body["max_context_length"] = length
    return body
