"""A folder for somebody is there whole, or what was there stays as it was."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from twinkle_jupyter.errors import ConflictError, InvalidConfigError
from twinkle_jupyter.store.whole_folder import check_new_folder, sweep_partial, write_whole


def _write(folder: Path) -> None:
    (folder / "weights").write_bytes(b"12345")


def test_an_empty_folder_and_one_that_is_not_there_are_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "a" / "b"):
        assert write_whole(folder, _write) == 5
        assert [path.name for path in folder.iterdir()] == ["weights"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        _write(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "out", fail)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (".out.0123.partial", ".other.0123.partial", "out"):
        (tmp_path / name).mkdir()
    sweep_partial(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.0123.partial", "out"]


def test_nothing_that_is_there_is_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    for name, said in (("file", "not a folder"), ("link", "not a folder"), ("full", "not empty")):
        with pytest.raises(ConflictError, match=said):
            write_whole(tmp_path / name, _write)
    with pytest.raises(InvalidConfigError, match=r"^Folder `out` is not an absolute path\.$"):
        check_new_folder(Path("out"))
    with pytest.raises(InvalidConfigError, match="Nothing can be written to"):
        check_new_folder(tmp_path / "file" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full", "link"]


def test_a_folder_that_is_closed_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    is_root = os.getuid() == 0  # to whom nothing is closed
    closed = pytest.raises(InvalidConfigError, match="Nothing can be written to")
    with nullcontext() if is_root else closed:
        check_new_folder(tmp_path / "closed" / "out")
