"""Where data lie that a person names: a path, or one of the data sets that are shipped."""

from __future__ import annotations

import difflib
from pathlib import Path

from twinkle_jupyter.errors import NOTHING_STARTED, InvalidDataError

_BOX = Path(__file__).parent / "box"
_MAX_SHOWN = 60


def shipped_names() -> list[str]:
    """Return the names of the data sets that come with the package."""
    return sorted(path.stem for path in _BOX.glob("*.jsonl"))


def find_file(source: str | Path) -> Path:
    """Return the file of this path or of the shipped data set.

    Raises:
        InvalidDataError: There is none; names the nearest, or says what the text is instead.
    """
    text = str(source)
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    try:
        path = Path(source).expanduser()
        is_file, is_folder = path.is_file(), path.is_dir()
    except RuntimeError as error:
        raise InvalidDataError(
            f"`{shown}` is not there: nobody knows that home folder.", NOTHING_STARTED
        ) from error
    except OSError as error:
        raise _no_path(text, shown, (error.strerror or "unknown reason").lower()) from error
    if is_file:
        return path
    if is_folder:
        raise InvalidDataError(f"`{shown}` is a folder, not a file.", NOTHING_STARTED)
    if text in shipped_names():
        return _BOX / f"{text}.jsonl"
    near = _find_nearest(path)
    if near:
        raise InvalidDataError(
            f"`{shown}` is not there.", f"Did you mean `{near}`? {NOTHING_STARTED}"
        )
    raise _no_path(text, shown)


def _no_path(text: str, shown: str, reason: str = "") -> InvalidDataError:
    """Return what to say of a text that leads nowhere; it may be the rows themselves."""
    if "\n" in text or text.lstrip().startswith(("{", "[")):
        beginning = shown.strip().partition("\n")[0]
        return InvalidDataError(
            f"`{beginning}` is text, not a file.",
            "Rows are a list of dicts, or stand in a cell below `%%twinkle train`."
            f" {NOTHING_STARTED}",
        )
    said = f"cannot be read: {reason}" if reason else "is not there"
    return InvalidDataError(f"`{shown}` {said}.", NOTHING_STARTED)


def _find_nearest(path: Path) -> str:
    """Return what of the folder, or of the shipped data, is spelt nearly like `path`."""
    try:
        files = [item.name for item in path.parent.iterdir() if item.is_file()]
    except OSError:
        files = []
    for candidates, wanted in ((files, path.name), (shipped_names(), path.stem)):
        if near := difflib.get_close_matches(wanted, candidates, n=1, cutoff=0.6):
            return near[0] if candidates is not files else str(path.parent / near[0])
    return ""
