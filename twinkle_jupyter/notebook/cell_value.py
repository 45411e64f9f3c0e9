"""Values of verbs that the verb's own cell has shown already, and every later one shows anew."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TypeVar

from twinkle_jupyter.notebook.session import Session, Table
from twinkle_jupyter.notebook.tables import table_html, table_plain

T = TypeVar("T")


def current_cell() -> int | None:
    """Return the number of the cell that runs, None outside of IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return int(shell.execution_count) if shell is not None else None


class CellValue:
    """Something that a verb has said in words before it returned it."""

    #: The cell in which it was said; None where it was not.
    said_in: int | None = None

    @property
    def is_said(self) -> bool:
        """Whether the cell that runs shows it already."""
        return self.said_in is not None and self.said_in == current_cell()

    def _ipython_display_(self) -> None:
        if not self.is_said:
            from IPython.display import display

            display(dict(self.bundle()), raw=True)  # type: ignore[no-untyped-call]

    def bundle(self) -> Mapping[str, object]:
        """Return what it shows, by MIME type."""
        return {"text/plain": repr(self)}


class Listing(CellValue, list[T]):
    """A list of objects that looks like the table of them."""

    def __init__(self, items: Iterable[T], table: Table) -> None:
        super().__init__(items)
        self.table = table

    def bundle(self) -> Mapping[str, object]:
        """Return the table."""
        return {"text/html": table_html(self.table), "text/plain": table_plain(self.table)}

    def __repr__(self) -> str:
        return table_plain(self.table)


class Answer(CellValue, str):
    """A model's answer: text like any other, which its own cell has shown as it was written."""

    def bundle(self) -> dict[str, str]:
        """Return the text."""
        return {"text/plain": str(self)}


class Answers(CellValue, list[str]):
    """Several answers, in the order of the columns."""

    def bundle(self) -> dict[str, str]:
        """Return the texts, an empty line between them."""
        return {"text/plain": "\n\n".join(self)}


class Shown(CellValue):
    """A table that stands for no objects."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def bundle(self) -> dict[str, str]:
        """Return the table."""
        return {"text/html": table_html(self.table), "text/plain": table_plain(self.table)}

    def __repr__(self) -> str:
        return table_plain(self.table)


class ShownPanel(CellValue):
    """A panel that stands for no object: a row as tokens, a chat."""

    def __init__(self, bundle: Mapping[str, object]) -> None:
        self._bundle = bundle

    def bundle(self) -> Mapping[str, object]:
        """Return what the front end draws."""
        return self._bundle

    def __repr__(self) -> str:
        return str(self._bundle["text/plain"])


def list_out(session: Session, items: Iterable[T], table: Table) -> Listing[T]:
    """Show the table and return the objects that it is of."""
    session.face.table(table)
    listing = Listing(items, table)
    listing.said_in = current_cell()
    return listing
