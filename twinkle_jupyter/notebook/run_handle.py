"""A run as a person holds it in a cell: what `%twinkle train` and `%twinkle show` return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinkle_jupyter.client.run import Run
from twinkle_jupyter.notebook.snapshot import RunPicture, Snapshot

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.notebook.session import Face


class RunHandle(Run):
    """A run that shows its panel when it is the value of a cell.

    Attributes:
        run_id: The run's id.
        adapter: Name of the adapter that it trains.
    """

    def __init__(self, client: Client, run_id: str, adapter: str, face: Face) -> None:
        super().__init__(client, run_id)
        self.client = client
        self.adapter = adapter
        self._face = face

    def picture(self) -> Snapshot:
        """Fetch what a panel shows of the run now."""
        picture = RunPicture()
        for event in self.client.events(self.run_id, follow=False):
            picture.add(event.id, event.entry)
        return picture.snapshot()

    def __repr__(self) -> str:
        return f"<run {self.run_id} of adapter {self.adapter!r}>"

    def _ipython_display_(self) -> None:
        self._face.panel(self)
