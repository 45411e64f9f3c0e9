"""Adapters out to files and in from PEFT's, as a program asks the service for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from twinkle_jupyter.client.asking import ask
from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.wire.exports import ExportBody, ImportBody, StartExportBody
from twinkle_jupyter.wire.native import AdapterBody

__all__ = [
    "ExportBody",
    "StartExportBody",
    "cancel_export",
    "export_adapter",
    "get_export",
    "import_adapter",
    "start_export",
]

#: Reading, checking and copying an adapter.
_IMPORT_S = 120.0
_POLL_S = 0.3


def export_adapter(
    connection: Connection,
    adapter: str,
    wanted: StartExportBody,
    on_progress: Callable[[float], None],
) -> ExportBody:
    """Have an adapter written into a folder and wait for it; an interrupt ends the export.

    Args:
        connection: Of a service on this machine.
        adapter: Its name.
        wanted: Format, folder, step.
        on_progress: Called some times a second with the share that is done, 0 to 1.

    Raises:
        NotFoundError: There is no such adapter, or no checkpoint of that step.
        ConflictError: There is something in the folder, or the adapter has no weights yet.
        InvalidConfigError: Nothing can be written there, or the service is not the user's own.
        RunFailedError: It could not be written; says why.
    """
    export = start_export(connection, adapter, wanted)
    try:
        while export.state == "running":
            on_progress(export.fraction)
            time.sleep(_POLL_S)
            export = get_export(connection, export.export_id)
    except KeyboardInterrupt:
        cancel_export(connection, export.export_id)
        raise
    if export.state == "cancelled":
        raise RunFailedError(f"The export of adapter {adapter!r} was cancelled.")
    if export.state == "failed":
        raise RunFailedError(export.message, export.hint)
    return export


def start_export(connection: Connection, adapter: str, wanted: StartExportBody) -> ExportBody:
    """Begin to write an adapter into a folder; raises as `export_adapter`, but at once."""
    path = f"/adapters/{quote(adapter, safe='')}/exports"
    answer = ask(connection, "POST", path, wanted.model_dump(mode="json"))
    return ExportBody.model_validate_json(answer.content)


def get_export(connection: Connection, export_id: str) -> ExportBody:
    """Tell how far an export is; raises `NotFoundError` where there is none."""
    answer = ask(connection, "GET", f"/exports/{quote(export_id, safe='')}")
    return ExportBody.model_validate_json(answer.content)


def cancel_export(connection: Connection, export_id: str) -> ExportBody:
    """End an export; nothing is left of it. Raises `NotFoundError` where there is none."""
    answer = ask(connection, "DELETE", f"/exports/{quote(export_id, safe='')}")
    return ExportBody.model_validate_json(answer.content)


def import_adapter(
    connection: Connection, folder: Path, adapter: str, base_model: str | None = None
) -> AdapterBody:
    """Take in a PEFT folder under a name that is free.

    Args:
        connection: Of a service on this machine.
        folder: With adapter_config.json and adapter_model.safetensors; absolute.
        adapter: Its name from now on.
        base_model: What it was trained on; None is the service's own.

    Raises:
        NotFoundError: There is no adapter in the folder.
        InvalidDataError: It is of a kind that is not trained here, or of another base model.
        ConflictError: There is an adapter of that name.
        InvalidConfigError: The name cannot be one, or the base model cannot be had.
    """
    body = ImportBody(folder=str(folder), base_model=base_model).model_dump(mode="json")
    path = f"/adapters/{quote(adapter, safe='')}/import"
    answer = ask(connection, "POST", path, body, timeout_s=_IMPORT_S)
    return AdapterBody.model_validate_json(answer.content)
