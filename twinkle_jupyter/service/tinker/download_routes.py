"""Saved weights as files: links to them, and what a link answers."""

from __future__ import annotations

import asyncio
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.service.asker import CurrentAsker
from twinkle_jupyter.service.auth import OPEN_DOWNLOADS
from twinkle_jupyter.service.clients.archive import WeightsArchive
from twinkle_jupyter.service.clients.downloads import EXPORTED_FILES, Download, read_signed, sign
from twinkle_jupyter.service.clients.readable_weights import find_readable
from twinkle_jupyter.service.clients.saved_weights import WeightsPath
from twinkle_jupyter.service.parts import Parts, ServiceParts
from twinkle_jupyter.service.tinker.route import TinkerRoute
from twinkle_jupyter.store.audit import note_act

router = APIRouter(tags=["tinker"], route_class=TinkerRoute)


@router.get("/training_runs/{model_id}/checkpoints/{kind}/{name}/external_weights_urls")
async def get_external_weights_urls(
    model_id: str, kind: str, name: str, request: Request, parts: Parts, asker: CurrentAsker
) -> dict[str, JsonValue]:
    """Give a link to each file of exported weights."""
    path = WeightsPath.parse(f"tinker://{model_id}/{kind}/{name}")
    saved = await find_readable(parts, asker, path)
    if path.kind != "external_weights":
        raise InvalidDataError(
            f"Checkpoint {saved.path!r} was not saved to be used elsewhere;"
            " save_weights_external saves one."
        )
    links = [Download.of(asker, saved.path, file) for file in EXPORTED_FILES]
    urls: dict[str, JsonValue] = {one.file: await _url(parts, request, one) for one in links}
    return {"urls": urls, "expires": links[0].expires_at}


@router.get("/training_runs/{model_id}/checkpoints/{kind}/{name}/archive", status_code=302)
async def get_archive(
    model_id: str, kind: str, name: str, request: Request, parts: Parts, asker: CurrentAsker
) -> Response:
    """Give a link to an archive of saved weights, as older clients ask for it."""
    path = WeightsPath.parse(f"tinker://{model_id}/{kind}/{name}")
    saved = await find_readable(parts, asker, path)
    download = Download.of(asker, saved.path)
    await note_act(parts.store, asker.owner, "export_started", saved.path, "a link to it")
    expires = format_datetime(datetime.fromisoformat(download.expires_at), usegmt=True)
    headers = {"Location": await _url(parts, request, download), "Expires": expires}
    return Response(status_code=302, headers=headers)


@router.get("/downloads/{link}", response_model=None)
async def download(link: str, parts: Parts) -> Response:
    """Answer a link; it is key enough."""
    wanted = await read_signed(parts.store, link)
    saved = await find_readable(parts, wanted.asker, WeightsPath.parse(wanted.path))
    folder = Path(saved.folder)
    if wanted.file:
        return FileResponse(folder / wanted.file, filename=wanted.file)
    archive = await asyncio.to_thread(WeightsArchive, folder, EXPORTED_FILES)
    headers = {"Content-Length": str(archive.size_bytes)}
    return StreamingResponse(archive.chunks(), media_type="application/x-tar", headers=headers)


async def _url(parts: ServiceParts, request: Request, download: Download) -> str:
    # As the client reached us, so that it reaches us again.
    base = str(request.base_url).rstrip("/")
    return f"{base}{OPEN_DOWNLOADS}{await sign(parts.store, download)}"
