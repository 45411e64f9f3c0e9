"""A run as a person holds it in a cell: what `%twinkle train` and `%twinkle show` return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinkle_jupyter.client.run import Run
from twinkle_jupyter.notebook.cell_value import CellValue, current_cell
from twinkle_jupyter.notebook.snapshot import RunPicture, Snapshot

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.notebook.session import Face


class RunHandle(CellValue, Run):
    """A run that shows its panel when it is the value of a cell.

    Attributes:
        run_id: The run's id.
        adapter: Name of the adapter that it trains.
    """

    def __init__(self, client: Client, run_id: str, adapter: str, face: Face) -> None:
        super().__init__(client, run_id, adapter)
        self.client = client
        self._face = face

    def said(self) -> RunHandle:
        """Note that the cell which runs has said in words what became of the run."""
        self.said_in = current_cell()
        return self

    def picture(self) -> Snapshot:
        """Fetch what a panel shows of the run now."""
        picture = RunPicture()
        for event in self.client.events(self.run_id, follow=False):
            picture.add(event.id, event.entry)
        return picture.snapshot()

    def _ipython_display_(self) -> None:
        if not self.is_said:
            self._face.panel(self)

    def _display_(self) -> object:
        """Be shown by marimo, which has no magics and no display messages."""
        from twinkle_jupyter.notebook.panel_widget import run_widget

        return run_widget(self, self.picture())
