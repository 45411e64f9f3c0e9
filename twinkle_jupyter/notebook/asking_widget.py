"""The token ribbon, the chat, the adapters and a sweep as anywidgets, for other front ends.

Imported when the first of them is shown: anywidget takes a quarter of a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anywidget
import traitlets

from twinkle_jupyter.notebook.ask_feed import AskFeed
from twinkle_jupyter.notebook.panel_answers import panel_answers

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client

_FOLDER = Path(__file__).parent


class AskingWidget(anywidget.AnyWidget):
    """Host of a panel that asks; draws nothing itself."""

    _esm = (_FOLDER / "asking_widget.js").read_text(encoding="utf-8")
    _css = (_FOLDER / "asking_widget.css").read_text(encoding="utf-8")

    content = traitlets.Dict().tag(sync=True)

    def __init__(self, client: Client, content: Mapping[str, object], key: str = "") -> None:
        super().__init__(content=dict(content))
        self.key = key
        self._feed = AskFeed(panel_answers(client), self.send)
        self.on_msg(self._take)

    def renew(self, client: Client, content: Mapping[str, object]) -> None:
        """Show what a newer cell has, and ask its client; views that there are go on."""
        self._feed.answers = panel_answers(client)
        self.content = dict(content)

    def close(self) -> None:
        """End what is being answered, and the widget."""
        feed = getattr(self, "_feed", None)
        if feed is not None:
            feed.close()
        super().close()

    def _take(self, _: object, content: Mapping[str, object], __: object) -> None:
        self._feed.take(content)


#: Newest last. What an older cell shows beyond these answers no more questions.
_WIDGETS: deque[AskingWidget] = deque()
_MAX_WIDGETS = 64


def asking_widget_view(client: Client, content: object, key: str = "") -> object:
    """Return a widget's entry for a bundle; with a key, the one that was made for it before."""
    shown = cast("Mapping[str, object]", content)
    known = (one for one in _WIDGETS if key and one.key == key and one.comm is not None)
    widget = next(known, None)
    if widget is None:
        widget = AskingWidget(client, shown, key)
    else:
        widget.renew(client, shown)
        _WIDGETS.remove(widget)
    _WIDGETS.append(widget)
    while len(_WIDGETS) > _MAX_WIDGETS:
        _WIDGETS.popleft().close()
    view = widget._repr_mimebundle_()
    bundle = view[0] if isinstance(view, tuple) else view
    return cast("Mapping[str, object]", bundle)["application/vnd.jupyter.widget-view+json"]
