"""One thread that writes adapters to disk while the engine goes on training.

Whoever hands over an adapter gives a copy that nobody changes. Folders are written in the order in
which they were handed over, so that one that is whole stands for all before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from twinkle_jupyter.errors import NotFoundError, RunFailedError
from twinkle_jupyter.scheduling.request import CheckpointCopied, CheckpointSaved
from twinkle_jupyter.store.artifacts import read_manifest

R = TypeVar("R")


class CheckpointWriter:
    """Writes one folder at a time."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="twinkle-writer")
        self._writing: dict[str, asyncio.Future[CheckpointSaved]] = {}

    def begin(
        self, folder: str, write: Callable[[], CheckpointSaved], on_whole: Callable[[str], None]
    ) -> None:
        """Start to write a folder; `finish` waits for it, and `on_whole` is told first."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, write)
        self._writing[folder] = future
        future.add_done_callback(lambda _: self._end(folder, future, on_whole))

    async def finish(self, copied: CheckpointCopied) -> CheckpointSaved:
        """Wait until the folder is whole; one that an earlier process wrote is so already.

        Raises:
            RunFailedError: It could not be written.
        """
        future = self._writing.get(copied.folder)
        if future is not None:
            return await asyncio.shield(future)
        try:
            manifest = await asyncio.to_thread(read_manifest, Path(copied.folder))
        except NotFoundError as error:
            name = Path(copied.folder).name
            raise RunFailedError(
                f"Checkpoint {name!r} could not be written.", "Training is where it was."
            ) from error
        return CheckpointSaved(copied.step, manifest.size_bytes)

    async def run(self, work: Callable[[], R]) -> R:
        """Do other work of the disk after everything that was handed over."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def close(self) -> None:
        """Finish what was begun."""
        await asyncio.to_thread(self._executor.shutdown, wait=True)

    def _end(
        self,
        folder: str,
        future: asyncio.Future[CheckpointSaved],
        on_whole: Callable[[str], None],
    ) -> None:
        if self._writing.get(folder) is future:
            del self._writing[folder]
        # Asking for the exception keeps asyncio from complaining where nobody waits.
        if not future.cancelled() and future.exception() is None:
            on_whole(folder)
