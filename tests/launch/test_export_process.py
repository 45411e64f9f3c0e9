"""The process of an export ends with whoever waits for it, and its own end is a sentence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from twinkle_jupyter.errors import NotFoundError, RunFailedError
from twinkle_jupyter.launch.export_process import ExportProcess
from twinkle_jupyter.service.adapter_files import ExportJob


def _job(folder: Path) -> ExportJob:
    return ExportJob("tiny", folder / "checkpoint", folder / "out", "merged", "pirate", "F32")


async def _ignore(_: float) -> None:
    """Take progress that the test is not about."""


async def _child() -> psutil.Process:
    """Return the process once it is there; it takes seconds to load what it needs."""
    async with asyncio.timeout(20):
        while True:
            for child in psutil.Process().children():
                if "twinkle_jupyter.launch.export_process" in " ".join(child.cmdline()):
                    return child
            await asyncio.sleep(0.01)


async def test_a_call_that_is_cancelled_ends_its_process(tmp_path: Path) -> None:
    call = asyncio.create_task(ExportProcess().export(_job(tmp_path), _ignore))
    child = await _child()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not child.is_running()


async def test_a_process_that_is_killed_is_a_sentence(tmp_path: Path) -> None:
    call = asyncio.create_task(ExportProcess().export(_job(tmp_path), _ignore))
    (await _child()).kill()
    with pytest.raises(RunFailedError, match=r"^The process that writes it ended by itself"):
        await call


async def test_what_the_process_finds_wrong_arrives_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"^Base model `tiny` is not there"):
        await ExportProcess().export(_job(tmp_path), _ignore)
