"""Exports and imports in a process of their own: torch is never in the service, nor on its loop.

As a program (`python -m … ORDER`, a JSON object), it prints JSON lines: `{"progress": 0.5}`, and at
the end `{"done": {…}}` or `{"error": {code, message, hint}}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from twinkle_jupyter.errors import (
    InvalidConfigError,
    NotFoundError,
    RunFailedError,
    TwinkleError,
    error_from_fields,
)
from twinkle_jupyter.launch.model_fetch import find_base_model
from twinkle_jupyter.launch.tied_process import tied_command
from twinkle_jupyter.service.adapter_files import ExportJob, ImportedShape, OnProgress

if TYPE_CHECKING:
    from twinkle_jupyter.engine.exporting import ExportFormat
    from twinkle_jupyter.engine.gguf_writing import WeightType

_LOGGER = logging.getLogger(__name__)

_MODULE = "twinkle_jupyter.launch.export_process"
_EXPORT_TIMEOUT_S = 4 * 3600.0
#: Less than a client waits.
_IMPORT_TIMEOUT_S = 100.0
_HEARTBEAT_S = 1.0
_END_S = 10.0
#: The last words of a process that died without a sentence.
_MAX_WORDS = 4000


class ExportProcess:
    """`AdapterFiles` of a service: one process for each call."""

    async def export(self, job: ExportJob, on_progress: OnProgress) -> int:
        """Write the folder, whole or not at all; return its bytes."""
        order = {name: str(value) for name, value in asdict(job).items()}
        done = await _run({"task": "export", **order}, on_progress, _EXPORT_TIMEOUT_S)
        return int(done["size_bytes"])

    async def import_peft(self, folder: Path, base_model: str, checkpoint: Path) -> ImportedShape:
        """Write an adapter of PEFT's as a checkpoint."""
        order = {"folder": str(folder), "base_model": base_model, "checkpoint": str(checkpoint)}
        done = await _run({"task": "import", **order}, _ignore, _IMPORT_TIMEOUT_S)
        return ImportedShape(int(done["rank"]), float(done["alpha"]))


async def _ignore(_: float) -> None:
    """Nobody watches an import."""


async def _run(
    order: Mapping[str, str], on_progress: OnProgress, timeout_s: float
) -> Mapping[str, float]:
    """Run the process to its end; whatever ends this call ends the process."""
    arguments, environment = tied_command([_MODULE, json.dumps(order)])
    process = await asyncio.create_subprocess_exec(
        *arguments,
        # Training goes before: it shall not wait for the cores.
        env=environment | {"OMP_NUM_THREADS": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    words = asyncio.create_task(_last_words(cast("asyncio.StreamReader", process.stderr)))
    try:
        async with asyncio.timeout(timeout_s):
            done = await _follow(cast("asyncio.StreamReader", process.stdout), on_progress)
            status = await process.wait()
            if done is None:
                _LOGGER.error("an export ended with status %s: %s", status, await words)
    except TimeoutError:
        raise RunFailedError(f"It was not done after {timeout_s:.0f} s.") from None
    finally:
        await _end(process)
        words.cancel()
    if done is None:
        raise RunFailedError(
            "The process that writes it ended by itself; nothing was left.",
            "There may be too little memory; `%twinkle log` has its last words.",
        )
    return done


async def _follow(
    lines: asyncio.StreamReader, on_progress: OnProgress
) -> Mapping[str, float] | None:
    """Pass progress on, once a second at least; return what the process answered in the end."""
    fraction = 0.0
    while True:
        line = b"{}"
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(lines.readline(), _HEARTBEAT_S)
            if not line:
                return None
        said = json.loads(line)
        if "error" in said:
            raise error_from_fields(said["error"])
        if "done" in said:
            return cast("Mapping[str, float]", said["done"])
        fraction = float(said.get("progress", fraction))
        await on_progress(fraction)


async def _last_words(errors: asyncio.StreamReader) -> str:
    text = b""
    while chunk := await errors.read(4096):
        text = (text + chunk)[-_MAX_WORDS:]
    return text.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.wait_for(asyncio.shield(process.wait()), _END_S)


def _export(order: Mapping[str, str]) -> dict[str, float]:
    from twinkle_jupyter.engine.exporting import ExportOrder, export_adapter

    told = -1.0

    def on_progress(fraction: float) -> None:
        nonlocal told
        if fraction - told >= 0.01:
            told = fraction
            _say({"progress": fraction})

    is_merged = order["format"] != "peft"
    size_bytes = export_adapter(
        ExportOrder(
            checkpoint=Path(order["checkpoint"]),
            base_folder=_base_folder(order["base_model"]) if is_merged else Path(),
            folder=Path(order["folder"]),
            format=cast("ExportFormat", order["format"]),
            name=order["name"],
            weight_type=cast("WeightType", order["weight_type"]),
        ),
        on_progress,
    )
    return {"size_bytes": size_bytes}


def _import(order: Mapping[str, str]) -> dict[str, float]:
    from twinkle_jupyter.engine.peft_import import import_peft

    name = order["base_model"]
    spec = import_peft(Path(order["folder"]), _base_folder(name), name, Path(order["checkpoint"]))
    return {"rank": spec.rank, "alpha": spec.alpha}


def _base_folder(name: str) -> Path:
    folder = find_base_model(name)
    if folder is None:
        raise NotFoundError(
            f"Base model {name!r} is not on this machine.",
            "Train with it or ask it something first, which brings it here.",
        )
    return folder


def _say(line: Mapping[str, object]) -> None:
    sys.stdout.write(f"{json.dumps(line)}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Do what the JSON object in `arguments` says; return the exit status."""
    os.nice(10)
    os.umask(0o077)
    order = json.loads(arguments[0])
    try:
        done = (_export if order["task"] == "export" else _import)(order)
    except TwinkleError as error:
        _say({"error": error.as_fields()})
        return 1
    except OSError as error:
        told = InvalidConfigError(
            f"It could not be written: {(error.strerror or str(error)).lower()}.",
            "Nothing was left; free some space, or name another folder.",
        )
        _say({"error": told.as_fields()})
        return 1
    _say({"done": done})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
