"""A folder is there whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from twinkle_jupyter.errors import ConflictError, InvalidDataError, NotFoundError
from twinkle_jupyter.store.artifacts import (
    Manifest,
    ManifestEntry,
    commit_folder,
    delete_folder,
    has_folder,
    list_folders,
    read_manifest,
    sweep,
)

HELLO_SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def _write_hello(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "hello.txt").write_text("hello")


def _write_bye(folder: Path) -> None:
    (folder / "bye.txt").write_text("bye")


def _names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_a_committed_folder_is_described_by_its_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "step-000010"
    expected = Manifest((ManifestEntry("deep/hello.txt", 5, HELLO_SHA256),))
    assert commit_folder(folder, _write_hello) == expected
    assert read_manifest(folder, verify=True) == expected
    assert expected.size_bytes == 5
    assert _names(folder.parent) == ["step-000010"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        _write_hello(folder)
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        commit_folder(tmp_path / "step", fail)
    assert _names(tmp_path) == []


def test_a_committed_folder_gives_way_only_when_asked(tmp_path: Path) -> None:
    folder = tmp_path / "step"
    commit_folder(folder, _write_hello)
    with pytest.raises(ConflictError, match="Folder 'step' exists already"):
        commit_folder(folder, _write_bye)
    assert read_manifest(folder).files[0].path == "deep/hello.txt"
    commit_folder(folder, _write_bye, replace=True)
    assert (_names(folder), _names(tmp_path)) == (["bye.txt", "manifest.json"], ["step"])


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    theirs = tmp_path / "thesis"
    theirs.mkdir()
    (theirs / "chapter.txt").write_text("years of work")
    with pytest.raises(ConflictError, match="was not made here; it is left as it is"):
        commit_folder(theirs, _write_hello, replace=True)
    assert _names(theirs) == ["chapter.txt"]
    assert delete_folder(theirs) is False


def test_a_folder_without_a_whole_manifest_does_not_exist(tmp_path: Path) -> None:
    folder = tmp_path / "step"
    commit_folder(folder, _write_hello)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text()[:-10])
    with pytest.raises(NotFoundError, match="There is no complete folder 'step'"):
        read_manifest(folder)
    assert (has_folder(folder), list_folders(tmp_path)) == (False, [])
    with pytest.raises(NotFoundError, match="There is no complete folder 'other'"):
        read_manifest(tmp_path / "other")


@pytest.mark.parametrize("content", ["hell", "hellO", None])
def test_a_changed_file_is_noticed(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "step"
    commit_folder(folder, _write_hello)
    file = folder / "deep" / "hello.txt"
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(InvalidDataError, match=r"'deep/hello.txt' of 'step' is not as it was"):
        read_manifest(folder, verify=True)


def test_a_manifest_that_points_outside_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "step"
    commit_folder(folder, _write_hello)
    (tmp_path / "secret").write_text("hello")
    row = {"path": "../secret", "size_bytes": 5, "sha256": HELLO_SHA256}
    (folder / "manifest.json").write_text(json.dumps({"files": [row]}))
    with pytest.raises(InvalidDataError, match="leads out of its folder"):
        read_manifest(folder)


def test_sweeping_removes_what_a_crash_left_and_nothing_else(tmp_path: Path) -> None:
    commit_folder(tmp_path / "run" / "step-1", _write_hello)
    for name in (".step-2.0123456789ab.partial", ".step-1.0123456789ab.replaced"):
        (tmp_path / "run" / name).mkdir()
        _write_hello(tmp_path / "run" / name)
    (tmp_path / "run" / ".config").mkdir()
    assert sweep(tmp_path) == [
        "run/.step-1.0123456789ab.replaced",
        "run/.step-2.0123456789ab.partial",
    ]
    assert _names(tmp_path / "run") == [".config", "step-1"]
    assert (sweep(tmp_path), sweep(tmp_path / "nowhere")) == ([], [])


def test_a_deleted_folder_is_gone(tmp_path: Path) -> None:
    commit_folder(tmp_path / "step", _write_hello)
    assert (delete_folder(tmp_path / "step"), delete_folder(tmp_path / "step")) == (True, False)
    assert _names(tmp_path) == []


def test_a_folder_on_its_way_into_its_place_or_out_of_it_is_not_listed(tmp_path: Path) -> None:
    """For a moment it has a manifest under its hidden name."""
    commit_folder(tmp_path / "step-000010", _write_hello)
    for hidden in (".step-000011.0123456789ab.partial", ".step-000009.0123456789ab.replaced"):
        commit_folder(tmp_path / "other", _write_bye)
        (tmp_path / "other").rename(tmp_path / hidden)
    assert list_folders(tmp_path) == ["step-000010"]
