"""Several runs in one plot: what a cell displays for `%twinkle show a b c`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook.figures import (
    COLOURS,
    axes,
    make_place,
    run_line,
    svg_frame,
    svg_path,
)
from twinkle_jupyter.notebook.panels import PLOTLY_MIME, Bundle
from twinkle_jupyter.notebook.run_handle import RunHandle
from twinkle_jupyter.notebook.snapshot import Snapshot, thin_out

if TYPE_CHECKING:
    from twinkle_jupyter.notebook.session import Session

RUNS_MIME = "application/vnd.twinkle.runs+json"
#: Runs in one plot, and points of all their curves together.
MAX_RUNS = 64
_MAX_POINTS = 1600
_MIN_POINTS = 20


class RunsHandle(tuple[RunHandle, ...]):
    """Runs that share a plot; each is a run as `%twinkle show` returns it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<runs {', '.join(run.adapter for run in self)}>"

    def _ipython_display_(self) -> None:
        """Show nothing: a verb has shown the plot just before it returned this."""


def show_runs(session: Session, names: Sequence[str]) -> RunsHandle:
    """Show several runs in one plot.

    Raises:
        NotFoundError: There is no such run.
        InvalidConfigError: They are too many for one plot.
    """
    if len(names) > MAX_RUNS:
        raise InvalidConfigError(f"`show` takes at most {MAX_RUNS} runs, not {len(names)}.")
    client = session.service.running()
    bodies = [client.run(name) for name in dict.fromkeys(names)]
    runs = RunsHandle(RunHandle(client, body.run_id, body.adapter, session.face) for body in bodies)
    pictures = [(run.run_id, run.adapter, run.picture()) for run in runs]
    session.face.place(" ".join(run.run_id for run in runs))(runs_bundle(pictures))
    return runs


def runs_bundle(pictures: Sequence[tuple[str, str, Snapshot]]) -> Bundle:
    """Return the runs, each by id, adapter and picture, for every front end."""
    count = max(_MIN_POINTS, _MAX_POINTS // len(pictures))
    small = [(run_id, adapter, _small(picture, count)) for run_id, adapter, picture in pictures]
    return {
        RUNS_MIME: {
            "runs": [
                {"run_id": run_id, "adapter": adapter, "snapshot": picture}
                for run_id, adapter, picture in small
            ]
        },
        PLOTLY_MIME: _figure(small),
        "text/html": _html(small),
        "text/plain": "\n".join(run_line(adapter, picture) for _, adapter, picture in small),
    }


def _small(picture: Snapshot, count: int) -> Snapshot:
    return {
        **picture,
        "points": thin_out(picture["points"], count),
        "eval_points": thin_out(picture["eval_points"], count // 2),
        "curves": {"learning_rate": [], "tokens_per_second": [], "grad_norm": []},
        "probes": [],
        "marks": [],
    }


def _html(runs: Sequence[tuple[str, str, Snapshot]]) -> str:
    lines = "".join(
        f'<div><span style="color:{_colour(number)}" aria-hidden="true">\u25cf</span> '
        f"{escape(run_line(adapter, picture))}</div>"
        for number, (_, adapter, picture) in enumerate(runs)
    )
    return f"<div>{_svg(runs)}{lines}</div>"


def _svg(runs: Sequence[tuple[str, str, Snapshot]]) -> str:
    points = [point for *_, picture in runs for point in picture["points"]]
    if not points:
        return ""
    low, high = min(loss for _, loss in points), max(loss for _, loss in points)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    last = max(2, *(step for step, _ in points), *(one["total_steps"] for *_, one in runs))
    place = make_place(low, high, 1, last)
    drawn = [axes(low, high, 1, last)]
    for number, (_, adapter, picture) in enumerate(runs):
        drawn.append(
            f'<g><title>{escape(adapter)}</title><polyline fill="none" '
            f'stroke="{_colour(number)}" stroke-width="1.5" '
            f'points="{svg_path(picture["points"], place)}"/></g>'
        )
    return svg_frame(f"Losses of {len(runs)} runs", "".join(drawn))


def _figure(runs: Sequence[tuple[str, str, Snapshot]]) -> dict[str, object]:
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": adapter,
            "line": {"color": _colour(number)},
            "x": [step for step, _ in picture["points"]],
            "y": [loss for _, loss in picture["points"]],
        }
        for number, (_, adapter, picture) in enumerate(runs)
    ]
    layout = {
        "height": 340,
        "margin": {"l": 50, "r": 10, "t": 10, "b": 40},
        "xaxis": {"title": {"text": "step"}, "automargin": True},
        "yaxis": {"title": {"text": "loss"}, "automargin": True},
    }
    return {"data": traces, "layout": layout, "config": {"responsive": True}}


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
