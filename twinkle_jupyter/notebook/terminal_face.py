"""Output of verbs as lines of text, for plain IPython and other terminals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from twinkle_jupyter.notebook.figures import run_line
from twinkle_jupyter.notebook.tables import table_plain

if TYPE_CHECKING:
    from twinkle_jupyter.notebook.run_handle import RunHandle
    from twinkle_jupyter.notebook.session import ChatView, Table
    from twinkle_jupyter.notebook.snapshot import Snapshot


class TerminalFace:
    """Writes lines.

    Args:
        out: Where to; stdout at the time of each line if None.
        prefix: What a person types before a verb; hints are written for it.
    """

    def __init__(self, out: TextIO | None = None, prefix: str = "%twinkle") -> None:
        self._out = out
        self._prefix = prefix

    def note(self, text: str) -> None:
        """Say one sentence."""
        self.text(text)

    def text(self, text: str) -> None:
        """Write text and end the line."""
        self.write(f"{text.replace('%twinkle', self._prefix)}\n")

    def table(self, table: Table) -> None:
        """Write a table."""
        self.text(table_plain(table))

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Write what is being waited for, a line each."""
        shown = ""

        def say(text: str) -> None:
            nonlocal shown
            if text != shown:
                shown = text
                self.text(f"{text} …")

        yield say

    def panel(self, run: RunHandle) -> None:
        """Write how the run is."""
        self.text(f"{run_line(run.adapter, run.picture())} ({run.run_id})")

    @contextmanager
    def follow(self, run: RunHandle) -> Iterator[Callable[[Snapshot], None]]:
        """Write a line for every change."""
        shown = ""

        def tell(picture: Snapshot) -> None:
            nonlocal shown
            line = run_line(run.adapter, picture)
            if line != shown:
                shown = line
                self.text(line)

        yield tell

    def place(self, key: str) -> Callable[[Mapping[str, object]], None]:
        """Give a function that writes a bundle's text when its first line has changed."""
        del key
        shown = ""

        def draw(bundle: Mapping[str, object]) -> None:
            nonlocal shown
            text = str(bundle["text/plain"])
            if shown.splitlines()[:1] != text.splitlines()[:1]:
                self.text(text)
            shown = text

        return draw

    def chat(self, titles: Sequence[str]) -> ChatView:
        """Begin to write answers."""
        return ChatLines(self, titles)

    def write(self, text: str) -> None:
        """Write text as it is, at once."""
        out = self._out if self._out is not None else sys.stdout
        out.write(text)
        out.flush()


class ChatLines:
    """The first answer as it comes, the others below it when all have come."""

    def __init__(self, face: TerminalFace, titles: Sequence[str]) -> None:
        self._face = face
        self._titles = list(titles)
        self._others = [""] * len(self._titles)
        if len(self._titles) > 1:
            face.write(f"{self._titles[0]}:\n")

    def add(self, column: int, text: str) -> None:
        """Write text of the first column, keep that of the others."""
        if column == 0:
            self._face.write(text)
        else:
            self._others[column] += text

    def draw(self) -> None:
        """Everything is written already."""

    def finish(self, notes: Sequence[str]) -> None:
        """Write the other answers and how each ended."""
        self._face.write(f"\n({notes[0]})\n")
        for title, text, note in list(zip(self._titles, self._others, notes, strict=True))[1:]:
            self._face.write(f"\n{title}:\n{text}\n({note})\n")
