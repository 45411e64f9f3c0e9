"""A tar of weights that are deleted while it is sent, or just before."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from twinkle_jupyter.errors import ConflictError
from twinkle_jupyter.service.clients.archive import WeightsArchive
from twinkle_jupyter.store.artifacts import commit_folder, delete_folder


async def test_weights_that_go_are_sent_whole_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "step-000001"

    def write(place: Path) -> None:
        for name in ("a", "b"):
            (place / name).write_bytes(name.encode() * 700)

    commit_folder(folder, write)
    archive = WeightsArchive(folder, ("a", "b"))
    delete_folder(folder)
    sent = b"".join([piece async for piece in archive.chunks()])
    assert len(sent) == archive.size_bytes
    with tarfile.open(fileobj=io.BytesIO(sent)) as tar:
        assert [one.size for one in tar.getmembers()] == [700, 700, 0]
    with pytest.raises(ConflictError, match="have just been deleted"):
        WeightsArchive(folder, ("a", "b"))
