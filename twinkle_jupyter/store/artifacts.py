"""Folders that exist whole or not at all.

A folder is written under another name beside its place, every file synced, `manifest.json` with
sizes and hashes last, and then renamed. One without a valid manifest does not exist for a reader,
and `sweep` clears what a crash left. Nothing here knows what the files mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import uuid4

from twinkle_jupyter.errors import ConflictError, InvalidDataError, NotFoundError

MANIFEST_FILE = "manifest.json"
_PARTIAL_SUFFIX = ".partial"
_REPLACED_SUFFIX = ".replaced"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One file of a folder."""

    #: Relative to the folder, with forward slashes.
    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a complete folder holds, in order of path."""

    files: tuple[ManifestEntry, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files but the manifest."""
        return sum(entry.size_bytes for entry in self.files)


def commit_folder(
    folder: Path, write: Callable[[Path], None], *, replace: bool = False
) -> Manifest:
    """Let `write` fill a new folder, then make it appear as `folder` in one move.

    Args:
        folder: Where it is to be; missing parents are made.
        write: Puts files into the folder it is given; may raise, and then nothing is left.
        replace: Whether a committed folder that is there already gives way.

    Raises:
        ConflictError: `folder` exists and is not to be replaced, or was not made by this function.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _check_free(folder, replace=replace)
    partial = folder.with_name(f".{folder.name}.{uuid4().hex[:12]}{_PARTIAL_SUFFIX}")
    partial.mkdir()
    try:
        write(partial)
        manifest = _describe(partial)
        _write_manifest(partial, manifest)
        for directory in {partial, *(entry for entry in partial.rglob("*") if entry.is_dir())}:
            sync_path(directory)
        _move_into_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def read_manifest(folder: Path, *, verify: bool = False) -> Manifest:
    """Return what `folder` holds.

    Args:
        folder: A folder that `commit_folder` made.
        verify: Whether to read every file and compare its hash; sizes are always compared.

    Raises:
        NotFoundError: There is no complete folder of that name.
        InvalidDataError: A file is missing or was changed.
    """
    try:
        rows = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))["files"]
        entries = tuple(
            ManifestEntry(str(row["path"]), int(row["size_bytes"]), str(row["sha256"]))
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFoundError(f"There is no complete folder {folder.name!r}.") from error
    for entry in entries:
        _check_entry(folder, entry, verify=verify)
    return Manifest(entries)


def has_folder(folder: Path) -> bool:
    """Tell whether `folder` is complete; hashes are not compared."""
    try:
        read_manifest(folder)
    except (NotFoundError, InvalidDataError):
        return False
    return True


def list_folders(root: Path) -> list[str]:
    """Return the names of the complete folders directly below `root`, in order."""
    if not root.is_dir():
        return []
    # One that is about to be moved into its place, or out of it, has a manifest, too.
    named = (child for child in root.iterdir() if not child.name.startswith("."))
    return sorted(child.name for child in named if child.is_dir() and has_folder(child))


def delete_folder(folder: Path) -> bool:
    """Remove a committed folder; tell whether there was one.

    The manifest goes first: a crash in between leaves what does not exist, and is swept.
    """
    manifest = folder / MANIFEST_FILE
    if not manifest.is_file():
        return False
    doomed = folder.with_name(f".{folder.name}.{uuid4().hex[:12]}{_REPLACED_SUFFIX}")
    folder.rename(doomed)
    sync_path(folder.parent)
    shutil.rmtree(doomed)
    return True


def sweep(root: Path) -> list[str]:
    """Clear what crashes left anywhere below `root`; return the relative paths removed.

    Only for when nothing is being written there: a half-written folder and one that is being
    written look the same.
    """
    removed: list[str] = []
    if not root.is_dir():
        return removed
    for directory, children, _ in os.walk(root):
        for name in list(children):
            if name.startswith(".") and name.endswith((_PARTIAL_SUFFIX, _REPLACED_SUFFIX)):
                children.remove(name)
                path = Path(directory, name)
                shutil.rmtree(path)
                removed.append(path.relative_to(root).as_posix())
    return sorted(removed)


def _check_free(folder: Path, *, replace: bool) -> None:
    if not folder.exists():
        return
    if not replace:
        raise ConflictError(f"Folder {folder.name!r} exists already.")
    if not (folder / MANIFEST_FILE).is_file():
        raise ConflictError(
            f"Folder {folder.name!r} exists and was not made here; it is left as it is."
        )


def _describe(folder: Path) -> Manifest:
    """Sync and hash every file below `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    entries = []
    for path in files:
        sync_path(path)
        name = path.relative_to(folder).as_posix()
        entries.append(ManifestEntry(name, path.stat().st_size, _hash(path)))
    return Manifest(tuple(entries))


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    rows = [
        {"path": entry.path, "size_bytes": entry.size_bytes, "sha256": entry.sha256}
        for entry in manifest.files
    ]
    path = folder / MANIFEST_FILE
    path.write_text(json.dumps({"files": rows}, indent=2) + "\n", encoding="utf-8")
    sync_path(path)


def _move_into_place(partial: Path, folder: Path) -> None:
    replaced: Path | None = None
    if folder.exists():
        replaced = folder.with_name(f".{folder.name}.{uuid4().hex[:12]}{_REPLACED_SUFFIX}")
        folder.rename(replaced)
    partial.rename(folder)
    sync_path(folder.parent)
    if replaced is not None:
        shutil.rmtree(replaced)


def _check_entry(folder: Path, entry: ManifestEntry, *, verify: bool) -> None:
    relative = PurePosixPath(entry.path)
    if relative.is_absolute() or ".." in relative.parts:
        raise InvalidDataError(f"The manifest of {folder.name!r} leads out of its folder.")
    path = folder / relative
    changed = InvalidDataError(f"File {entry.path!r} of {folder.name!r} is not as it was written.")
    try:
        if path.stat().st_size != entry.size_bytes:
            raise changed
        if verify and _hash(path) != entry.sha256:
            raise changed
    except OSError as error:
        raise changed from error


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Give a file another name; copy it where the disk knows no links, or it is another disk."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def sync_path(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
