"""`GET /metrics`: the service in numbers, for whatever draws them. For admins alone."""

from __future__ import annotations

from fastapi import APIRouter, Response

from twinkle_jupyter.service.asker import Admin
from twinkle_jupyter.service.gauges import read_gauges
from twinkle_jupyter.service.parts import Parts

router = APIRouter(tags=["admin"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "As Prometheus reads them"}},
)
async def get_metrics(parts: Parts, _: Admin) -> Response:
    """Tell runs, users, slots, queue and tokens, as the leader has found them last."""
    return Response(await read_gauges(parts.store), media_type="text/plain; version=0.0.4")
