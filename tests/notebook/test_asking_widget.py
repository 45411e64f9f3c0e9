"""The widget of panels that ask, when a newer cell shows the same sweep."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Mapping

import pytest

from tests.client.live_service import LiveService
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.notebook import asking_widget
from twinkle_jupyter.notebook.asking_widget import AskingWidget, asking_widget_view

ASKED = {"type": "ask", "id": "1", "question": "adapters", "body": {}}


def test_a_newer_cell_brings_its_client_and_content_and_is_kept_longest(
    live: LiveService, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: queue.Queue[Mapping[str, object]] = queue.Queue()
    widgets: deque[AskingWidget] = deque()
    monkeypatch.setattr(asking_widget, "_WIDGETS", widgets)
    with Client(live.connection) as older:
        asking_widget_view(older, {"name": "old"}, "sweep_a")
        asking_widget_view(older, {}, "sweep_b")
    widget = widgets[0]
    monkeypatch.setattr(widget._feed, "_send", sent.put)
    widget._take(None, ASKED, None)
    assert sent.get(timeout=5)["result"] == {"adapters": []}, "its client opens again"
    older.close()

    with Client(live.connection) as newer:
        asking_widget_view(newer, {"name": "new"}, "sweep_a")
        assert widgets[-1] is widget
        assert len(widgets) == 2
        assert widget.content == {"name": "new"}
        widget._take(None, ASKED, None)
        assert sent.get(timeout=5)["result"] == {"adapters": []}
