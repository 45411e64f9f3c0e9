"""What a verb works with: the names it may look up, the service, and where its output goes.

The notebook, plain IPython and the command line each bring their own `Face`; the verbs are the
same. Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from twinkle_jupyter.client.sinks.feed_thread import FeedThread
    from twinkle_jupyter.notebook.run_handle import RunHandle
    from twinkle_jupyter.notebook.service_link import ServiceLink
    from twinkle_jupyter.notebook.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under headings; with no headings, pairs of a name and its value."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    #: A sentence below, such as what to type next; may be empty.
    note: str = ""


class ChatView(Protocol):
    """Answers that grow while they are read, one column for each model."""

    def add(self, column: int, text: str) -> None:
        """Append text to a column; drawing may come later."""
        ...

    def draw(self) -> None:
        """Bring the screen up to date; called at most twenty times a second."""
        ...

    def finish(self, notes: Sequence[str]) -> None:
        """Leave the final text, with a small line under each column."""
        ...


class Face(Protocol):
    """Where a verb's output goes."""

    def note(self, text: str) -> None:
        """Say one sentence."""
        ...

    def text(self, text: str) -> None:
        """Show text as it is, in a fixed-width font."""
        ...

    def table(self, table: Table) -> None:
        """Show a table."""
        ...

    def progress(self) -> AbstractContextManager[Callable[[str], None]]:
        """Give a function that shows what is being waited for, in one place that is updated."""
        ...

    def panel(self, run: RunHandle) -> None:
        """Show a run, live where the front end can; once in a cell, however often it is asked."""
        ...

    def follow(self, run: RunHandle) -> AbstractContextManager[Callable[[Snapshot], None]]:
        """Give a function that is told how a run goes that somebody waits for."""
        ...

    def place(self, key: str) -> Callable[[Mapping[str, object]], None]:
        """Give a function that shows a bundle, and its next states in the same place.

        A terminal, which has no such place, shows one when its first line of text has changed.
        """
        ...

    def chat(self, titles: Sequence[str]) -> ChatView:
        """Begin to show answers, one column a title."""
        ...


@dataclass(slots=True)
class Session:
    """One kernel's or one command's view of everything outside of a verb."""

    face: Face
    service: ServiceLink
    #: Variables that may be named as data.
    names: Mapping[str, object] = field(default_factory=dict)
    #: What a person types before a verb: `%twinkle` or `twinkle`.
    prefix: str = "%twinkle"
    #: Whether a program calls the verb and wants its value, not its words.
    is_program: bool = False
    #: The body of a `%%twinkle` cell, None for a line.
    body: str | None = None
    #: What this process feeds loggers with, by logger and run.
    feeds: dict[tuple[str, str], FeedThread] = field(default_factory=dict)
    #: Traceback of the newest error of our own making, for `debug`.
    last_traceback: str = ""
