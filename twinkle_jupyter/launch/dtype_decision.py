"""The number type of a base model, decided once for each home and kept with its trainer.

Measured in a process of its own: who launches loads no torch, and Ray need not be up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import asdict
from pathlib import Path

from twinkle_jupyter.config.service_sections import DtypeWish
from twinkle_jupyter.config.trainer_settings import DtypeChoice

_LOGGER = logging.getLogger(__name__)

_FILE = "dtype.json"
_MEASURE_S = 120.0
#: With fewer bytes of weights a step is calls, not arithmetic.
_SMALL_BYTES = 40_000_000


async def decide_dtype(
    wish: DtypeWish, model_folder: Path, kept_in: Path, num_threads: int
) -> DtypeChoice:
    """Return what was wished for; for `auto`, what was measured here, now or at the first start.

    Args:
        wish: The setting.
        model_folder: Of the base model.
        kept_in: Folder of the model's trainer, whose adapters go on as they began.
        num_threads: CPU threads of compute.
    """
    if wish != "auto":
        return DtypeChoice(wish)
    path = kept_in / _FILE
    known = await asyncio.to_thread(_read, path)
    if known is not None:
        return known
    if await asyncio.to_thread(_is_small, model_folder):
        return DtypeChoice("float32", "the model is small")
    decided = await _measure(model_folder, num_threads)
    await asyncio.to_thread(_write, path, decided)
    return decided


async def _measure(model_folder: Path, num_threads: int) -> DtypeChoice:
    command = (
        *(sys.executable, "-m", "twinkle_jupyter.engine.dtype_choice"),
        *(str(model_folder), str(num_threads)),
    )
    child = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(_MEASURE_S):
            said, complained = await child.communicate()
    except TimeoutError:
        return DtypeChoice("float32", "measuring took too long")
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode != 0:
        _LOGGER.error("the number type was not measured: %s", complained.decode(errors="replace"))
        return DtypeChoice("float32", "it could not be measured")
    return DtypeChoice(**json.loads(said))


def _is_small(model_folder: Path) -> bool:
    sizes = [file.stat().st_size for file in model_folder.glob("*.safetensors")]
    return 0 < sum(sizes) < _SMALL_BYTES


def _read(path: Path) -> DtypeChoice | None:
    try:
        return DtypeChoice(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _write(path: Path, decided: DtypeChoice) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.write_text(json.dumps(asdict(decided)), encoding="utf-8")
    draft.replace(path)
