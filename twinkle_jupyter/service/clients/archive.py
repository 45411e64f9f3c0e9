"""Saved weights as one tar file, made while it is sent."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

_CHUNK_BYTES = 1 << 20
#: Empty; older clients look whether it is there.
_COMPLETE = "checkpoint_complete"


class WeightsArchive:
    """A tar of some files of a folder.

    Args:
        folder: Whole, and not changed any more.
        names: Of the files.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._sizes = {name: (folder / name).stat().st_size for name in names}

    @property
    def size_bytes(self) -> int:
        """Of the whole tar."""
        blocks = [1 + -(-size // tarfile.BLOCKSIZE) for size in self._sizes.values()]
        # The empty file is a block, the end two.
        return tarfile.BLOCKSIZE * (sum(blocks) + 3)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Read it in pieces."""
        for name, size in self._sizes.items():
            yield _header(name, size)
            file = await asyncio.to_thread((self._folder / name).open, "rb")
            try:
                while piece := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    yield piece
            finally:
                await asyncio.to_thread(file.close)
            yield bytes(-size % tarfile.BLOCKSIZE)
        yield _header(_COMPLETE, 0) + bytes(2 * tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)
