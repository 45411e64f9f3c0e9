"""Whether the service answers: for whatever watches it, without a key."""

from __future__ import annotations

from fastapi import APIRouter

from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.wire.native import HealthBody

#: The store's, to whoever asks whether requests may be sent here.
_CHECK_S = 2.0

router = APIRouter(tags=["service"])


@router.get("/healthz")
async def get_health() -> HealthBody:
    """Answer, without a key, that the service answers."""
    return HealthBody()


@router.get("/readyz")
async def get_readiness(parts: Parts) -> HealthBody:
    """Answer, without a key, that the store answers, too: for whatever sends requests here."""
    await parts.store.check(_CHECK_S)
    return HealthBody()
