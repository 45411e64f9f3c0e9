"""Sharing over the native protocol: `/shared`, and weights as one file."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from twinkle_jupyter.service import sharing
from twinkle_jupyter.service.asker import Asker, CurrentAsker
from twinkle_jupyter.service.clients.archive import WeightsArchive
from twinkle_jupyter.service.clients.downloads import EXPORTED_FILES
from twinkle_jupyter.service.named_checkpoints import find_named_checkpoint
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.request_bodies import body_schema, read_body
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.store.shares import ShareRow
from twinkle_jupyter.wire.shares import ShareBody, SharedBody, SharedListBody

router = APIRouter(tags=["sharing"])

_Name = Annotated[str, Query(min_length=1, max_length=200)]
_Step = Annotated[int | None, Query(ge=0, le=2**53)]


@router.get("/shared")
async def list_shared(parts: Parts, asker: CurrentAsker) -> SharedListBody:
    """List what the asker may read: what others share with them, and what they share."""
    rows = await sharing.list_readable(parts, asker)
    return SharedListBody(shared=tuple(_body(row, asker) for row in rows))


@router.put("/shared", openapi_extra=body_schema(ShareBody))
async def share(request: Request, parts: Parts, asker: CurrentAsker) -> SharedBody:
    """Let groups or everyone read an adapter's checkpoint, and nobody else."""
    body = await read_body(request, ShareBody)
    row = await sharing.share(
        parts, asker, body.adapter, body.step, groups=body.groups, everyone=body.everyone
    )
    return _body(row, asker)


@router.delete("/shared")
async def unshare(what: _Name, parts: Parts, asker: CurrentAsker) -> SharedListBody:
    """Take back a path, or all of an adapter, from the next request on."""
    rows = await sharing.unshare(parts, asker, what)
    return SharedListBody(shared=tuple(_body(row, asker) for row in rows))


@router.get(
    "/weights",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-tar": {}}, "description": "PEFT's two files"}},
)
async def get_weights(
    adapter: _Name, parts: Parts, asker: CurrentAsker, step: _Step = None
) -> StreamingResponse:
    """Send an adapter's weights as PEFT has them, in one tar file; also those of a path."""
    found = await find_named_checkpoint(parts, asker, adapter, step)
    archive = await asyncio.to_thread(WeightsArchive, found.folder, EXPORTED_FILES)
    await note_act(parts.store, asker.owner, "export_started", adapter, f"step {found.step}, sent")
    headers = {"Content-Length": str(archive.size_bytes), "X-Twinkle-Step": str(found.step)}
    return StreamingResponse(archive.chunks(), media_type="application/x-tar", headers=headers)


def _body(row: ShareRow, asker: Asker) -> SharedBody:
    is_own = row.owner == asker.owner
    return SharedBody(
        path=row.path,
        owner=row.owner,
        adapter=row.adapter,
        base_model=row.base_model,
        rank=row.rank,
        alpha=row.alpha,
        step=row.step,
        groups=tuple(row.groups) if is_own else (),
        everyone=row.is_public,
        shared_at=row.shared_at,
    )
