"""The terminal as a face of the verbs, drawn by rich.

Everything is drawn as `Text`: in a plain string rich reads brackets as styles and colons as emoji.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text
from typing_extensions import override

from twinkle_jupyter.cli.run_picture import show_live
from twinkle_jupyter.cli.terminal_words import as_typed
from twinkle_jupyter.notebook.session import ChatView, Face, Table

if TYPE_CHECKING:
    from twinkle_jupyter.notebook.run_handle import RunHandle
    from twinkle_jupyter.notebook.snapshot import Snapshot


class TerminalFace(Face):
    """Prints; a run is followed until it ends, and Ctrl-C only stops the following."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @override
    def note(self, text: str) -> None:
        self._console.print(Text(as_typed(text)), soft_wrap=True)

    @override
    def text(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    @override
    def table(self, table: Table) -> None:
        title = Text(table.title, "table.title")
        drawn = RichTable(title=title, title_justify="left", box=None, pad_edge=False)
        for heading in table.headings or ("", ""):
            # A cut path or id cannot be copied.
            drawn.add_column(Text(heading), header_style="bold", overflow="fold")
        drawn.show_header = bool(table.headings)
        for row in table.rows:
            drawn.add_row(*map(Text, row))
        self._console.print(drawn)
        if table.note:
            self._console.print(Text(as_typed(table.note)), style="dim")

    @override
    def progress(self) -> AbstractContextManager[Callable[[str], None]]:
        return self._progress()

    @contextmanager
    def _progress(self) -> Iterator[Callable[[str], None]]:
        with self._console.status("") as status:
            yield lambda text: status.update(Text(text))

    @override
    def panel(self, run: RunHandle) -> None:
        try:
            show_live(run.client, run.run_id, self._console)
        except KeyboardInterrupt:
            self.note(f"Detached: the run goes on. `twinkle show {run.adapter}` shows it again.")

    @override
    def follow(self, run: RunHandle) -> AbstractContextManager[Callable[[Snapshot], None]]:
        # `panel` has followed the run to its end; there is nothing left to draw.
        return nullcontext(lambda _: None)

    @override
    def place(self, key: str) -> Callable[[Mapping[str, object]], None]:
        del key
        shown = ""

        def draw(bundle: Mapping[str, object]) -> None:
            nonlocal shown
            text = str(bundle["text/plain"])
            if shown.splitlines()[:1] != text.splitlines()[:1]:
                self.text(text)
            shown = text

        return draw

    @override
    def chat(self, titles: Sequence[str]) -> ChatView:
        return TerminalChat(titles, self._console)


class TerminalChat(ChatView):
    """Answers that grow: a stream for one model, columns for more."""

    def __init__(self, titles: Sequence[str], console: Console) -> None:
        self._titles = titles
        self._texts = [""] * len(titles)
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if len(titles) > 1 else None
        if self._live is not None:
            self._live.start()

    @override
    def add(self, column: int, text: str) -> None:
        self._texts[column] += text
        if self._live is None:
            self._console.print(Text(text), end="", soft_wrap=True)

    @override
    def draw(self) -> None:
        if self._live is not None:
            width = max(20, self._console.width // len(self._titles) - 2)
            panels = [
                Panel(Text(text), title=Text(title), width=width)
                for title, text in zip(self._titles, self._texts, strict=True)
            ]
            self._live.update(Columns(panels), refresh=True)

    @override
    def finish(self, notes: Sequence[str]) -> None:
        self.draw()
        if self._live is not None:
            self._live.stop()
        self._console.print()
        for note in filter(None, notes):
            self._console.print(Text(note), style="dim")
