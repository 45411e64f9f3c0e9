"""What a cell displays for a run: one bundle for every front end, live where that is possible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.notebook.figures import plotly_figure, run_html, run_line

if TYPE_CHECKING:
    from twinkle_jupyter.notebook.run_handle import RunHandle
    from twinkle_jupyter.notebook.snapshot import Snapshot

RUN_MIME = "application/vnd.twinkle.run+json"
PLOTLY_MIME = "application/vnd.plotly.v1+json"
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"

_WIDGET_SCRIPT = Path(__file__).with_name("panel_widget.js")

Bundle = dict[str, object]


def run_bundle(run_id: str, adapter: str, picture: Snapshot) -> Bundle:
    """Return the static part: it needs neither kernel nor service, and holds no secret."""
    return {
        RUN_MIME: {"run_id": run_id, "adapter": adapter, "snapshot": picture},
        PLOTLY_MIME: plotly_figure(picture),
        "text/html": run_html(adapter, picture),
        "text/plain": run_line(adapter, picture),
    }


def live_bundle(run: RunHandle, picture: Snapshot) -> Bundle:
    """Return the bundle with a widget too, for front ends without our extension."""
    bundle = run_bundle(run.run_id, run.adapter, picture)
    if not _WIDGET_SCRIPT.exists():  # a checkout whose labextension was never built
        return bundle
    from twinkle_jupyter.notebook.panel_widget import widget_view

    bundle[WIDGET_MIME] = widget_view(run, picture)
    return bundle
