"""How a client of the Twinkle protocol begins, and what it asks of the service as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import JsonValue

from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.supported_models import announce, list_base_models
from twinkle_jupyter.service.twinkle.route import TwinkleRoute
from twinkle_jupyter.service.twinkle.state import State
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SessionRow
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.store.records import BaseModelRow
from twinkle_jupyter.wire.twinkle_bodies import BeginSessionBody, HeartbeatBody

router = APIRouter(tags=["twinkle"], route_class=TwinkleRoute, prefix="/twinkle")


@router.get("/healthz")
async def get_health() -> dict[str, JsonValue]:
    """Answer that the service answers."""
    return {"status": "ok"}


@router.get("/healthz/deep")
async def get_deep_health(parts: Parts) -> JSONResponse:
    """Say which base models can be worked with; 503 while one of them cannot."""
    rows = await parts.store.list_rows(BaseModelRow.PREFIX)
    phases = {row.name: row.phase for row in (BaseModelRow.from_row(found) for _, found in rows)}
    models: dict[str, JsonValue] = {
        name: {"healthy": phase == "ready", "status_code": 200 if phase == "ready" else 503}
        for name, phase in phases.items()
    }
    is_healthy = all(phase == "ready" for phase in phases.values())
    return JSONResponse({"healthy": is_healthy, "models": models}, 200 if is_healthy else 503)


@router.get("/get_server_capabilities")
async def get_capabilities(parts: Parts) -> dict[str, JsonValue]:
    """List the base models, each with the model whose chat template goes with it."""
    return {"supported_models": cast("list[JsonValue]", await announce(parts))}


@router.get("/capacity_info")
async def get_capacity(parts: Parts) -> dict[str, JsonValue]:
    """Say how many adapters can be trained by one pass, and how many are there."""
    found = await parts.store.list_rows(ClientAdapterRow.PREFIX)
    rows = [ClientAdapterRow.from_row(row) for _, row in found]
    used = sum(row.is_made and not row.to_load for row in rows)
    names = [model.name for model in await list_base_models(parts)]
    most = sum(parts.config.trainer_of(name).max_active_adapters for name in names)
    return {"max_loras": most, "used_loras": min(used, most), "free_loras": max(0, most - used)}


@router.get("/status")
async def get_status(parts: Parts, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Say what this user has here."""
    sessions = await state.adapters.sessions.of(owner)
    adapters = await state.adapters.adapters.of(owner)
    resources: dict[str, JsonValue] = {"sessions": len(sessions), "models": len(adapters)}
    timeout = parts.config.sessions.timeout_s
    return {"resources": resources, "cleanup": {"running": True, "expiration_timeout": timeout}}


@router.post("/create_session")
async def create_session(
    body: BeginSessionBody, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Begin a session."""
    metadata = cast("Mapping[str, JSON]", body.metadata or {})
    row = SessionRow(owner, f"session_{uuid4().hex}", user_metadata=metadata)
    return {"session_id": (await state.adapters.sessions.add(row)).session_id}


@router.post("/session_heartbeat")
async def beat(body: HeartbeatBody, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Take note that a client is there."""
    await state.adapters.sessions.heard(owner, body.session_id)
    return {}
