"""`GET /usage`: what the asker may have at once, and how much of it they have."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.wire.usage import LimitBody, UsageBody

router = APIRouter(tags=["service"])


@router.get("/usage")
async def get_usage(parts: Parts, owner: Owner) -> UsageBody:
    """Tell each limit and the user's own number."""
    limits = await parts.quotas.usage(owner)
    return UsageBody(limits=tuple(LimitBody(**asdict(one)) for one in limits))
