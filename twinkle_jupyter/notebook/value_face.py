"""The face of verbs that a program calls: quiet while they work, since what they return says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from twinkle_jupyter.notebook.cell_value import Shown, ShownPanel

if TYPE_CHECKING:
    from twinkle_jupyter.notebook.run_handle import RunHandle
    from twinkle_jupyter.notebook.session import ChatView, Face, Table
    from twinkle_jupyter.notebook.snapshot import Snapshot


class ValueFace:
    """Keeps what a verb shows, and shows only what is displayed later.

    Args:
        home: Where runs and sweeps show themselves, and what is being waited for; None outside of
            IPython, where nothing is written anywhere.
    """

    def __init__(self, home: Face | None) -> None:
        self._home = home
        self._is_quiet = False
        #: What the newest verb has shown: a table, a panel or text; None where it was none.
        self.kept: Shown | ShownPanel | str | None = None

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Show nothing meanwhile."""
        self._is_quiet, self.kept = True, None
        try:
            yield
        finally:
            self._is_quiet = False

    def note(self, text: str) -> None:
        """Drop a sentence: the value of the call says it."""

    def text(self, text: str) -> None:
        """Keep text."""
        self.kept = text

    def table(self, table: Table) -> None:
        """Keep a table."""
        self.kept = Shown(table)

    def progress(self) -> AbstractContextManager[Callable[[str], None]]:
        """Show what is being waited for where somebody can see it."""
        return self._home.progress() if self._home is not None else nullcontext(lambda _: None)

    def panel(self, run: RunHandle) -> None:
        """Show a run that is displayed."""
        if not self._is_quiet and self._home is not None:
            self._home.panel(run)

    def follow(self, run: RunHandle) -> AbstractContextManager[Callable[[Snapshot], None]]:
        """Wait without a word."""
        del run
        return nullcontext(lambda _: None)

    def place(self, key: str) -> Callable[[Mapping[str, object]], None]:
        """Keep a panel; show a sweep that is displayed."""
        if not self._is_quiet and self._home is not None:
            return self._home.place(key)
        return self._keep_panel

    def _keep_panel(self, bundle: Mapping[str, object]) -> None:
        self.kept = ShownPanel(bundle)

    def chat(self, titles: Sequence[str]) -> ChatView:
        """Take answers without a word."""
        del titles
        return QuietChat()


class QuietChat:
    """Answers that are only returned."""

    def add(self, column: int, text: str) -> None:
        """Drop a piece: the whole is returned."""

    def draw(self) -> None:
        """Draw nothing."""

    def finish(self, notes: Sequence[str]) -> None:
        """Leave nothing."""
