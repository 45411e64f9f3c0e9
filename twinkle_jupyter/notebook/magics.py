"""`%twinkle` and `%%twinkle`: the table of verbs, registered with an IPython shell."""

from __future__ import annotations

import traceback
from collections import ChainMap
from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.notebook.arguments import split_line
from twinkle_jupyter.notebook.cell_errors import show_error, take_over
from twinkle_jupyter.notebook.completion import make_matcher
from twinkle_jupyter.notebook.notebook_face import NotebookFace
from twinkle_jupyter.notebook.service_link import ServiceLink
from twinkle_jupyter.notebook.session import Face, Session
from twinkle_jupyter.notebook.terminal_face import TerminalFace
from twinkle_jupyter.notebook.verbs import run, verbs_by_group

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


_EXAMPLES = (
    "Train adapters and talk to them.",
    "",
    "    %twinkle preview rows.jsonl               what the rows are, and what would be cut",
    "    %twinkle train rows.jsonl --adapter mine  returns at once; the panel goes on by itself",
    "    run = %twinkle train rows                 rows from a variable, and the run in another",
    "    %%twinkle chat mine --compare base        asks both what the cell's body says",
    "",
    "`%twinkle VERB --help` shows what a verb takes, the tab key completes it. Programs have the",
    "same verbs as functions, `from twinkle_jupyter import twinkle`, and a terminal as a command.",
)
_FACES: WeakKeyDictionary[InteractiveShell, Face] = WeakKeyDictionary()


def register(shell: InteractiveShell) -> Session:
    """Add the magics, their completion and the look of our errors to a shell.

    Doing it again replaces what was there. Returns the session that the magics use.
    """
    session = Session(face=face_of(shell), service=ServiceLink(), names=shell.user_ns)
    shell_shows_errors = take_over(shell)

    def twinkle(
        line: str, cell: str | None = None, local_ns: Mapping[str, object] | None = None
    ) -> object:
        session.body = cell
        # In a function a name is what it is for the code around the line.
        session.names = ChainMap(dict(local_ns or {}), shell.user_ns)
        try:
            return run_line(session, line)
        except TwinkleError as error:
            if shell_shows_errors:
                raise
            show_error(error)
            return None
        finally:
            session.names = shell.user_ns

    twinkle.__doc__ = _usage()
    twinkle.needs_local_scope = True  # type: ignore[attr-defined]  # IPython asks for this name
    shell.magics_manager.register_function(twinkle, magic_kind="line_cell", magic_name="twinkle")
    completer = shell.Completer
    completer.custom_matchers = [
        matcher
        for matcher in completer.custom_matchers
        if getattr(matcher, "matcher_identifier", "") != "twinkle"
    ]
    completer.custom_matchers.append(make_matcher(session))
    return session


def run_line(session: Session, line: str) -> object:
    """Do what a line says; a surprise becomes one sentence, its traceback is kept for `debug`.

    Raises:
        TwinkleError: What the verb raises, or that there was a surprise.
    """
    try:
        return run(session, split_line(line))
    except TwinkleError:
        raise
    except Exception as error:
        session.last_traceback = traceback.format_exc()
        verb = line.split(maxsplit=1)[0] if line.split() else "status"
        said = f"{type(error).__name__}: {error}".rstrip(".: ")
        raise TwinkleError(
            f"`%twinkle {verb}` met an error of its own: {said}.",
            "`%twinkle debug` shows the traceback.",
        ) from error


def face_of(shell: InteractiveShell) -> Face:
    """Return where output goes in this shell; the same one each time, since it knows its cell."""
    known = _FACES.get(shell)
    if known is None:
        is_kernel = getattr(shell, "kernel", None) is not None
        known = _FACES[shell] = NotebookFace(shell) if is_kernel else TerminalFace()
    return known


def _usage() -> str:
    lines = list(_EXAMPLES)
    for group, verbs in verbs_by_group().items():
        lines += ["", f"{group[:1].upper()}{group[1:]}", ""]
        lines += [f"    {verb.name:14} {verb.summary}" for verb in verbs]
    return "\n".join(lines)
