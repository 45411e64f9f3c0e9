"""Folders for people, of the files that were asked for and no other: there whole, or not at all.

Unlike `artifacts`, nothing is ever replaced, and no manifest lies between somebody's files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from twinkle_jupyter.errors import ConflictError, InvalidConfigError
from twinkle_jupyter.store.artifacts import sync_path

_PARTIAL_SUFFIX = ".partial"
_ELSEWHERE = "Name a folder that does not exist yet."


def check_new_folder(folder: Path) -> None:
    """See that a folder can be made there and that nothing would be overwritten.

    Raises:
        InvalidConfigError: The path is not absolute, or nothing can be written there.
        ConflictError: There is something already.
    """
    if not folder.is_absolute():
        raise InvalidConfigError(f"Folder `{folder}` is not an absolute path.")
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise ConflictError(f"`{folder}` exists already and is not a folder.", _ELSEWHERE)
        if folder.is_dir() and any(folder.iterdir()):
            raise ConflictError(
                f"Folder `{folder}` is not empty; nothing was written to it.", _ELSEWHERE
            )
        parent = next(parent for parent in folder.parents if parent.exists())
    except PermissionError as error:
        raise InvalidConfigError(f"Folder `{folder}` cannot be looked into.") from error
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise InvalidConfigError(f"Nothing can be written to `{parent}`.", _ELSEWHERE)


def write_whole(folder: Path, write: Callable[[Path], None]) -> int:
    """Let `write` fill a new folder, then make it appear as `folder`; return its bytes.

    Args:
        folder: As `check_new_folder` wants it; missing parents are made.
        write: Puts files into the folder it is given; may raise, and then nothing is left.

    Raises:
        InvalidConfigError: The path is not absolute, or nothing can be written there.
        ConflictError: There is something already.
    """
    check_new_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f"{partial_prefix(folder)}{uuid4().hex[:12]}{_PARTIAL_SUFFIX}")
    partial.mkdir()
    try:
        write(partial)
        size_bytes = 0
        for path in sorted(partial.rglob("*")):
            size_bytes += path.stat().st_size if path.is_file() else 0
            sync_path(path)
        check_new_folder(folder)
        partial.rename(folder)
        sync_path(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return size_bytes


def partial_prefix(folder: Path) -> str:
    """Return how the names of half-written folders begin, beside `folder`."""
    return f".{folder.name}."


def sweep_partial(folder: Path) -> None:
    """Remove what a killed `write_whole` left beside `folder`; nobody may be writing it."""
    if folder.parent.is_dir():
        for path in folder.parent.glob(f"{partial_prefix(folder)}*{_PARTIAL_SUFFIX}"):
            shutil.rmtree(path, ignore_errors=True)
