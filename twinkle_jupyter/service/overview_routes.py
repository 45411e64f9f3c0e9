"""`GET /overview`: a user's runs, adapters and limits, and the service, as soon as they change."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request

from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.overview import Overview
from twinkle_jupyter.wire.overview import UserOverviewBody

#: Proxies end what is silent for longer.
_LONGEST_WAIT_S = 20.0

router = APIRouter(tags=["service"])


@router.get("/overview")
async def get_overview(
    request: Request,
    owner: Owner,
    seen: Annotated[str, Query(max_length=64)] = "",
    wait_s: Annotated[float, Query(ge=0, le=_LONGEST_WAIT_S)] = 0.0,
) -> UserOverviewBody:
    """Answer at once, or, given the tag of an earlier answer, once there is something new."""
    overview = cast("Overview", request.app.state.overview)
    return await overview.wait(owner, seen, wait_s)
