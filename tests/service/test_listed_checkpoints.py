"""Checkpoints that a run lets go of while somebody lists them."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from tests.service.conftest import Service
from twinkle_jupyter.store.artifacts import commit_folder, delete_folder

_LISTS = 150
_NUM_FOLDERS = 8


def _write(folder: Path) -> None:
    for number in range(4):
        (folder / f"part-{number}").write_bytes(b"weights")


async def test_what_is_gone_meanwhile_is_left_out(service: Service) -> None:
    run_id = str((await service.start("pirate"))["run_id"])
    kept, *folders = (
        service.config.checkpoint_folder(run_id, f"step-{number:06}")
        for number in range(1 + _NUM_FOLDERS)
    )
    commit_folder(kept, _write)
    is_over = threading.Event()

    def come_and_go() -> None:
        while not is_over.is_set():
            for folder in folders:
                commit_folder(folder, _write)
            for folder in folders:
                delete_folder(folder)

    coming = asyncio.create_task(asyncio.to_thread(come_and_go))
    found: list[list[str]] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < _LISTS or len(set(map(len, found))) == 1:
                answer = await service.anna.get("/api/v1/runs/pirate/checkpoints")
                assert answer.status_code == 200, answer.text
                found.append([one["name"] for one in answer.json()["checkpoints"]])
    finally:
        is_over.set()
        await coming
    assert all(names[0] == kept.name for names in found)
