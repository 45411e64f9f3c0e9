"""Output of verbs in a cell: display messages, updated in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, cast

from twinkle_jupyter.notebook.panels import live_bundle, run_bundle
from twinkle_jupyter.notebook.tables import code_html, table_html, table_plain

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import DisplayHandle

    from twinkle_jupyter.notebook.run_handle import RunHandle
    from twinkle_jupyter.notebook.session import ChatView, Table
    from twinkle_jupyter.notebook.snapshot import Snapshot

#: An output is updated this often at most, in seconds.
UPDATE_S = 0.05


class NotebookFace:
    """Shows things as outputs of the cell that runs.

    Args:
        shell: The kernel's shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        #: Panels of the present cell, by run or sweep.
        self._panels: dict[str, DisplayHandle] = {}
        self._cell = -1

    def note(self, text: str) -> None:
        """Say one sentence."""
        show({"text/html": f"<div>{code_html(text)}</div>", "text/plain": text})

    def text(self, text: str) -> None:
        """Show text as it is."""
        show({"text/plain": text, "text/html": f"<pre>{escape(text)}</pre>"})

    def table(self, table: Table) -> None:
        """Show a table."""
        show({"text/html": table_html(table), "text/plain": table_plain(table)})

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Show what is being waited for in one output, which is empty in the end."""
        handle: DisplayHandle | None = None
        shown = ""

        def say(text: str) -> None:
            nonlocal handle, shown
            if text == shown:
                return
            shown = text
            bundle = {"text/html": f"<em>{escape(text)} …</em>", "text/plain": f"{text} …"}
            if handle is None:
                handle = show(bundle)
            else:
                update(handle, bundle)

        try:
            yield say
        finally:
            if handle is not None:
                update(handle, {"text/html": "", "text/plain": ""})

    def panel(self, run: RunHandle) -> None:
        """Show a run's panel, once in a cell."""
        self._note_cell()
        if run.run_id not in self._panels:
            self._panels[run.run_id] = show(live_bundle(run, run.picture()))

    @contextmanager
    def follow(self, run: RunHandle) -> Iterator[Callable[[Snapshot], None]]:
        """Leave the last picture in the panel's output; meanwhile the panel is live by itself."""
        last: list[Snapshot] = []

        def tell(picture: Snapshot) -> None:
            last[:] = [picture]

        try:
            yield tell
        finally:
            handle = self._panels.get(run.run_id)
            if handle is not None and last:
                update(handle, run_bundle(run.run_id, run.adapter, last[0]))

    def place(self, key: str) -> Callable[[Mapping[str, object]], None]:
        """Give a function that shows a bundle in one output of the cell."""
        self._note_cell()

        def draw(bundle: Mapping[str, object]) -> None:
            if key in self._panels:
                update(self._panels[key], bundle)
            else:
                self._panels[key] = show(bundle)

        return draw

    def chat(self, titles: Sequence[str]) -> ChatView:
        """Begin to show answers."""
        return ChatOutput(titles)

    def _note_cell(self) -> None:
        """Forget the panels of an earlier cell."""
        if self._cell != self._shell.execution_count:
            self._cell = self._shell.execution_count
            self._panels.clear()


class ChatOutput:
    """Answers side by side in one output."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._titles = list(titles)
        self._texts = [""] * len(self._titles)
        self._notes = [""] * len(self._titles)
        self._drawn = list(self._texts)
        self._drawn_at = time.monotonic()
        self._handle = show(self._bundle())

    def add(self, column: int, text: str) -> None:
        """Append text to a column."""
        self._texts[column] += text

    def draw(self) -> None:
        """Update the output if there is something new and the last update is old enough."""
        if self._texts != self._drawn and time.monotonic() - self._drawn_at >= UPDATE_S:
            self._draw()

    def finish(self, notes: Sequence[str]) -> None:
        """Leave the final text."""
        self._notes = list(notes)
        self._draw()

    def _draw(self) -> None:
        self._drawn, self._drawn_at = list(self._texts), time.monotonic()
        update(self._handle, self._bundle())

    def _bundle(self) -> Mapping[str, object]:
        columns = list(zip(self._titles, self._texts, self._notes, strict=True))
        cells = "".join(
            f"<div><small><strong>{escape(title)}</strong></small>"
            f'<div style="white-space:pre-wrap">{escape(text)}</div>'
            f'<small style="opacity:0.7">{escape(note)}</small></div>'
            for title, text, note in columns
        )
        # Two side by side whatever the width; more of them as they fit.
        repeat = (
            f"{len(columns)},minmax(0,1fr)" if len(columns) < 3 else "auto-fill,minmax(20em,1fr)"
        )
        grid = f"display:grid;gap:24px;grid-template-columns:repeat({repeat})"
        plain = "\n\n".join(
            f"{title}: {text}" if len(columns) > 1 else text for title, text, _ in columns
        )
        return {"text/html": f'<div style="{grid}">{cells}</div>', "text/plain": plain}


def show(bundle: Mapping[str, object]) -> DisplayHandle:
    """Display a bundle and return what updates it."""
    from IPython.display import display

    handle = display(dict(bundle), raw=True, display_id=True)  # type: ignore[no-untyped-call]
    return cast("DisplayHandle", handle)


def update(handle: DisplayHandle, bundle: Mapping[str, object]) -> None:
    """Put another bundle in the place of a displayed one."""
    handle.update(dict(bundle), raw=True)  # type: ignore[no-untyped-call]
