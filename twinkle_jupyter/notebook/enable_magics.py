"""`enable-magics`: `%twinkle` in every kernel of this environment, loaded at its first use.

IPython reads one file of fixed name in each of its folders. The package must not bring that file,
others do the same and the last one installed would win; so a person asks, and a few lines between
two marks are merged into what is there.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from uuid import uuid4

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook.session import Session

_BEGIN = "# >>> twinkle-jupyter: `twinkle enable-magics --undo` takes these lines out again >>>"
_END = "# <<< twinkle-jupyter <<<"
_BLOCK = f"""{_BEGIN}
c.MagicsManager.lazy_magics.update({{"twinkle": "twinkle_jupyter"}})
{_END}
"""
#: Read by kernels and by IPython in a terminal.
_FILE = "ipython_config.py"


def add_enable_arguments(parser: ArgumentParser) -> None:
    """Take where, and whether to take it back."""
    parser.add_argument(
        "--user",
        action="store_true",
        help="for every environment of this user, not for every user of this environment",
    )
    parser.add_argument("--undo", action="store_true", help="take it back")


def enable(session: Session, arguments: Namespace) -> None:
    """Merge the registration into IPython's configuration, or take it out again."""
    path = _path(is_user=arguments.user)
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = _without_block(before, path)
        if not arguments.undo:
            after = f"{after}\n" if after and not after.endswith("\n") else after
            after += _BLOCK
        if after == before:
            said = "was not enabled" if arguments.undo else "is enabled already"
            session.face.note(f"`%twinkle` {said} in {path}.")
            return
        _replace(path, after)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidConfigError(
            f"`{path}` cannot be changed: {reason}.",
            "" if arguments.user else "`--user` takes the user's own configuration.",
        ) from error
    if arguments.undo:
        session.face.note(f"`%twinkle` is no longer loaded by {path}.")
    else:
        session.face.note(f"New kernels have `%twinkle` by themselves: {path}.")


def _path(*, is_user: bool) -> Path:
    if not is_user:
        return Path(sys.prefix) / "etc" / "ipython" / _FILE
    from IPython.paths import get_ipython_dir

    folder = Path(get_ipython_dir())
    return folder / "profile_default" / _FILE


def _without_block(text: str, path: Path) -> str:
    """Return what others have written.

    Raises:
        InvalidConfigError: The first mark is there and the second is not.
    """
    before, mark, rest = text.partition(f"{_BEGIN}\n")
    if not mark:
        return text
    _, end, after = rest.partition(f"{_END}\n")
    if not end:
        raise InvalidConfigError(
            f"`{path}` has the first line of what Twinkle wrote, and not the last.",
            f"Remove it by hand: it begins with `{_BEGIN[:25]}`.",
        )
    return before + after


def _replace(path: Path, text: str) -> None:
    """Write the file whole; one with nothing in it is removed."""
    if not text:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o7777)
        # A link stays one: what it leads to is replaced.
        draft.replace(path.resolve())
    finally:
        draft.unlink(missing_ok=True)
