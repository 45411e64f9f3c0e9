"""The panel as a small anywidget, for VS Code, Colab and notebooks without our extension.

Imported when the first panel is shown: anywidget takes a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anywidget
import traitlets

from twinkle_jupyter.notebook.panel_feed import PanelFeed

if TYPE_CHECKING:
    from twinkle_jupyter.notebook.run_handle import RunHandle
    from twinkle_jupyter.notebook.snapshot import Snapshot

_FOLDER = Path(__file__).parent


class PanelWidget(anywidget.AnyWidget):
    """Host of the panel; draws nothing itself, and reads nothing until its view subscribes."""

    _esm = (_FOLDER / "panel_widget.js").read_text(encoding="utf-8")
    _css = (_FOLDER / "panel_widget.css").read_text(encoding="utf-8")

    run_id = traitlets.Unicode().tag(sync=True)
    adapter = traitlets.Unicode().tag(sync=True)
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, run: RunHandle, picture: Snapshot) -> None:
        super().__init__(run_id=run.run_id, adapter=run.adapter, snapshot=picture)
        self._feed = PanelFeed(run, self.send)
        self.on_msg(self._take)

    def renew(self, run: RunHandle, picture: Snapshot) -> None:
        """Show the run as a newer cell has it; views that there are go on."""
        self._feed.run = run
        self.snapshot = dict(picture)

    def close(self) -> None:
        """End the feed and the widget."""
        feed = getattr(self, "_feed", None)
        if feed is not None:
            feed.close()
        super().close()

    def _take(self, _: object, content: Mapping[str, object], __: object) -> None:
        self._feed.take(content)


#: By run: as many outputs as there are show views of one widget, over one comm.
_WIDGETS: dict[str, PanelWidget] = {}
#: Runs whose panels are kept; what is shown of older ones is a picture from then on.
_MAX_WIDGETS = 256


def run_widget(run: RunHandle, picture: Snapshot) -> PanelWidget:
    """Return the run's widget, made when it is asked for first."""
    widget = _WIDGETS.pop(run.run_id, None)
    if widget is None or widget.comm is None:
        widget = PanelWidget(run, picture)
    else:
        widget.renew(run, picture)
    _WIDGETS[run.run_id] = widget
    while len(_WIDGETS) > _MAX_WIDGETS:
        _WIDGETS.pop(next(iter(_WIDGETS))).close()
    return widget


def widget_view(run: RunHandle, picture: Snapshot) -> object:
    """Return the entry of the run's widget for a bundle."""
    view = run_widget(run, picture)._repr_mimebundle_()
    bundle = view[0] if isinstance(view, tuple) else view
    return cast("Mapping[str, object]", bundle)["application/vnd.jupyter.widget-view+json"]
