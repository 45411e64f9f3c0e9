"""Saved weights as one tar file, made while it is sent."""

from __future__ import annotations

import asyncio
import os
import tarfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack
from pathlib import Path

from twinkle_jupyter.errors import ConflictError

_CHUNK_BYTES = 1 << 20
#: Empty; older clients look whether it is there.
_COMPLETE = "checkpoint_complete"


class WeightsArchive:
    """A tar of some files of a folder.

    The files are opened at once: whoever deletes the folder meanwhile cuts nothing short.

    Args:
        folder: Whole, and not changed any more.
        names: Of the files.

    Raises:
        ConflictError: It has just been deleted.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        with ExitStack() as opening:
            try:
                files = {name: opening.enter_context((folder / name).open("rb")) for name in names}
            except FileNotFoundError as error:
                raise ConflictError(
                    "These weights have just been deleted.", "Try again: there may be newer ones."
                ) from error
            self._files = files
            self._sizes = {name: os.fstat(file.fileno()).st_size for name, file in files.items()}
            self._opened = opening.pop_all()

    @property
    def size_bytes(self) -> int:
        """Of the whole tar."""
        blocks = [1 + -(-size // tarfile.BLOCKSIZE) for size in self._sizes.values()]
        # The empty file is a block, the end two.
        return tarfile.BLOCKSIZE * (sum(blocks) + 3)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Read it in pieces."""
        with self._opened:
            for name, size in self._sizes.items():
                yield _header(name, size)
                while piece := await asyncio.to_thread(self._files[name].read, _CHUNK_BYTES):
                    yield piece
                yield bytes(-size % tarfile.BLOCKSIZE)
        yield _header(_COMPLETE, 0) + bytes(2 * tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)
