"""Whether one base model can be worked with, asked where its model or its sampler would be."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.twinkle.route import TwinkleRoute
from twinkle_jupyter.service.twinkle.templates import health_of

router = APIRouter(tags=["twinkle"], route_class=TwinkleRoute)


@router.get("/model/{model_id:path}/healthz")
async def get_model_health(model_id: str, parts: Parts) -> JSONResponse:
    """Say whether a base model trains."""
    return await health_of(parts, model_id)


@router.get("/sampler/{model_id:path}/healthz")
async def get_sampler_health(model_id: str, parts: Parts) -> JSONResponse:
    """Say whether a base model samples."""
    return await health_of(parts, model_id)
