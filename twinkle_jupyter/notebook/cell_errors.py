"""Errors in a cell: one block with what is wrong and what to do, never a traceback."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.notebook.tables import code_html

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def error_bundle(error: TwinkleError) -> Mapping[str, str]:
    """Return the error as HTML and as a line of text, its code in small print."""
    hint = f"<div>{code_html(error.hint)}</div>" if error.hint else ""
    html = (
        '<div role="alert" style="border-left:3px solid var(--jp-error-color1,#d32f2f);'
        f'padding:2px 10px"><div>{code_html(error.message)}</div>{hint}'
        f'<small style="opacity:0.7">{escape(error.code)}</small></div>'
    )
    return {"text/html": html, "text/plain": f"{error} [{error.code}]"}


def show_error(error: TwinkleError) -> None:
    """Show the block as this cell's output."""
    from IPython.display import display

    display(error_bundle(error), raw=True)  # type: ignore[no-untyped-call]


def take_over(shell: InteractiveShell) -> bool:
    """Show our errors as blocks wherever they end a cell; tell whether the shell lets us.

    The cell still fails, so that "run all" stops there, but nothing is printed besides the block.
    IPython has one place for this: somebody else's handler stays.
    """
    if shell.custom_exceptions not in {(), (TwinkleError,)}:
        return False

    def handle(
        _shell: InteractiveShell,
        _kind: type[BaseException],
        error: TwinkleError,
        _traceback: TracebackType,
        tb_offset: int | None = None,  # noqa: ARG001 - IPython passes it by name
    ) -> None:
        show_error(error)

    shell.set_custom_exc((TwinkleError,), handle)  # type: ignore[no-untyped-call]
    return True
