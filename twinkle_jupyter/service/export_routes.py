"""Adapters out to files of other programs, and in from PEFT's: `…/exports` and `…/import`."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from twinkle_jupyter.service.adapter_files import AdapterFiles
from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.exports import ExportRow, Exports
from twinkle_jupyter.service.imports import import_adapter
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.request_bodies import body_schema, read_body
from twinkle_jupyter.service.run_bodies import adapter_body
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.wire.exports import ExportBody, ImportBody, StartExportBody
from twinkle_jupyter.wire.native import AdapterBody

router = APIRouter(tags=["exports"])


async def _exports_of_app(request: Request) -> Exports:
    return cast("Exports", request.app.state.exports)


async def _files_of_app(request: Request) -> AdapterFiles:
    return cast("AdapterFiles", request.app.state.adapter_files)


_Exports = Annotated[Exports, Depends(_exports_of_app)]
_Files = Annotated[AdapterFiles, Depends(_files_of_app)]


@router.post(
    "/adapters/{name}/exports", status_code=202, openapi_extra=body_schema(StartExportBody)
)
async def start_export(
    name: str, request: Request, parts: Parts, exports: _Exports, owner: Owner
) -> ExportBody:
    """Begin to write an adapter into a folder; `GET /exports/{export}` tells how far it is."""
    body = await read_body(request, StartExportBody)
    started = await exports.start(owner, name, body)
    await note_act(parts.store, owner, "export_started", name, started.format)
    return _body(started)


@router.get("/exports/{export}")
async def get_export(export: str, exports: _Exports, owner: Owner) -> ExportBody:
    """Tell how far an export is."""
    return _body(await exports.get(owner, export))


@router.delete("/exports/{export}")
async def cancel_export(export: str, exports: _Exports, owner: Owner) -> ExportBody:
    """End an export; nothing is left of it within a second or two."""
    return _body(await exports.cancel(owner, export))


@router.post("/adapters/{name}/import", status_code=201, openapi_extra=body_schema(ImportBody))
async def import_peft(
    name: str, request: Request, parts: Parts, files: _Files, owner: Owner
) -> AdapterBody:
    """Take in an adapter of PEFT's; answers when it is checked and copied."""
    body = await read_body(request, ImportBody)
    taken_in = await import_adapter(parts, files, owner, name, body)
    await note_act(parts.store, owner, "adapter_imported", name)
    return adapter_body(parts, taken_in)


def _body(export: ExportRow) -> ExportBody:
    return ExportBody.model_validate(export.to_row())
