"""A run's checkpoints: where they lie, which are kept, which one to go on from."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

from twinkle_jupyter.store.artifacts import delete_folder, has_folder, list_folders

#: Folder of a run that goes on from what another one had: what it begins with.
ORIGIN = "origin"


class Checkpoints:
    """Folders `step-000010`, `step-000020`, … of one run."""

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder / "checkpoints"

    def path(self, name: str) -> Path:
        """Return the folder of a checkpoint by its name."""
        return self._folder / name

    @staticmethod
    def name(step: int) -> str:
        """Name the checkpoint of a step."""
        return f"step-{step:06d}"

    @staticmethod
    def step(name: str) -> int:
        """Return the step that a checkpoint is named for; 0 for no name."""
        return int(name.rpartition("-")[2]) if name else 0

    async def find(self, newest: str) -> Path | None:
        """Return the folder that a run goes on from, None for one that begins from nothing.

        Args:
            newest: Name of its newest checkpoint. Before its first, a fork has its origin.
        """
        for folder in (self.path(newest) if newest else None, self._folder.parent / ORIGIN):
            if folder is not None and await asyncio.to_thread(has_folder, folder):
                return folder
        return None

    async def exists(self, name: str) -> bool:
        """Tell whether the checkpoint is whole."""
        return await asyncio.to_thread(has_folder, self.path(name))

    async def forget_old(self, newest: str, keep_last: int, kept: Collection[str]) -> None:
        """Delete all but the newest few, of which `newest` is the last, and those in `kept`."""
        await asyncio.to_thread(self._forget_old, newest, keep_last, kept)

    def _forget_old(self, newest: str, keep_last: int, kept: Collection[str]) -> None:
        names = sorted(name for name in list_folders(self._folder) if name <= newest)
        for name in names[:-keep_last]:
            if name not in kept:
                delete_folder(self.path(name))
