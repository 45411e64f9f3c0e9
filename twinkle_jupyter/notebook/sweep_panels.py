"""What a cell displays for a sweep: all curves in one picture, and the ranking below it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from twinkle_jupyter.notebook.figures import COLOURS, axes, make_place, svg_frame, svg_path
from twinkle_jupyter.notebook.panels import PLOTLY_MIME, WIDGET_MIME, Bundle
from twinkle_jupyter.notebook.session import Table
from twinkle_jupyter.notebook.tables import table_plain
from twinkle_jupyter.runs.sweep import format_value

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.client.sweep_commands import SweepBody
    from twinkle_jupyter.wire.sweeps import SweepMemberBody

SWEEP_MIME = "application/vnd.twinkle.sweep+json"
#: Points of all curves together, so that a saved notebook stays small.
_MAX_POINTS = 1600
_MIN_POINTS = 20
_DASHES = (("", "solid"), ("6 3", "dash"), ("2 3", "dot"))
_CELL = 'style="text-align:left;padding:2px 12px 2px 0"'


def sweep_bundle(body: SweepBody) -> Bundle:
    """Return the sweep for every front end; live with our extension, a picture elsewhere."""
    body = _thin(body)
    return {
        SWEEP_MIME: {
            "sweep_id": body.sweep_id,
            "name": body.name,
            "sweep": body.model_dump(mode="json"),
        },
        PLOTLY_MIME: _figure(body),
        "text/html": _html(body),
        "text/plain": table_plain(_table(body)),
    }


def live_sweep_bundle(client: Client, body: SweepBody) -> Bundle:
    """Return the bundle with a widget too, for front ends without our extension."""
    bundle = sweep_bundle(body)
    from twinkle_jupyter.notebook.asking_widget import asking_widget_view

    return {**bundle, WIDGET_MIME: asking_widget_view(client, bundle[SWEEP_MIME], body.sweep_id)}


def sweep_line(body: SweepBody) -> str:
    """Return the sweep as one line of text."""
    active = sum(one.state not in {"finished", "stopped", "failed"} for one in body.members)
    said = [f"{body.name}: {body.state}", f"{len(body.members)} runs"]
    if active:
        said.append(f"{active} going on")
    ahead = next((one for one in body.members if one.rank == 1 and one.loss is not None), None)
    if active and ahead:
        said.append(f"ahead is {ahead.adapter}")
    elif body.best and not active:
        said.append(f"best is {body.best}")
    return ", ".join(said)


def _thin(body: SweepBody) -> SweepBody:
    count = max(_MIN_POINTS, _MAX_POINTS // max(1, len(body.members)))
    members = (
        one.model_copy(
            update={
                "points": _thinned(one.points, count),
                "eval_points": _thinned(one.eval_points, count),
            }
        )
        for one in body.members
    )
    return body.model_copy(update={"members": tuple(members)})


def _thinned(points: Sequence[tuple[int, float]], count: int) -> list[tuple[int, float]]:
    """Return so many points, the first and the newest among them."""
    if len(points) <= count:
        return list(points)
    stride = (len(points) - 1) / (count - 1)
    return [points[round(number * stride)] for number in range(count)]


def _table(body: SweepBody) -> Table:
    settings = _settings(body)
    members = sorted(body.members, key=lambda one: one.rank)
    headings = ("rank", "adapter", *settings, "step", "loss", "eval loss", "state")
    return Table(sweep_line(body), headings, [_cells(one, settings) for one in members])


def _settings(body: SweepBody) -> list[str]:
    """Return what differs, in the order of the grid."""
    return list(dict.fromkeys(name for one in body.members for name in one.settings))


def _cells(one: SweepMemberBody, settings: Sequence[str]) -> tuple[str, ...]:
    values = (format_value(one.settings[name]) if name in one.settings else "" for name in settings)
    step = f"{one.step} of {one.total_steps}" if one.total_steps else str(one.step)
    state = {"halving": "halved", "hand": "pruned"}.get(one.pruned_by, "")
    return (
        str(one.rank),
        one.adapter,
        *values,
        step,
        _loss(one.loss),
        _loss(one.eval_loss),
        f"{one.state} ({state})" if state else one.state,
    )


def _loss(loss: float | None) -> str:
    return "" if loss is None else f"{loss:.4f}"


def _looks(body: SweepBody) -> dict[str, tuple[str, str, str]]:
    """Return colour, SVG dash and plotly dash of each member; they stay when ranks change."""
    looks = {}
    for number, one in enumerate(body.members):
        dash = _DASHES[number // len(COLOURS) % len(_DASHES)]
        looks[one.run_id] = (COLOURS[number % len(COLOURS)], *dash)
    return looks


def _html(body: SweepBody) -> str:
    table = _table(body)
    head = "".join(f'<th scope="col" {_CELL}>{escape(name)}</th>' for name in table.headings)
    looks = _looks(body)
    members = sorted(body.members, key=lambda one: one.rank)
    rows = "".join(
        _row(cells, looks[one.run_id][0]) for one, cells in zip(members, table.rows, strict=True)
    )
    return (
        f"<div><div><strong>{escape(table.title)}</strong></div>{_svg(body)}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(cells: Sequence[str], colour: str) -> str:
    mark = f'<span style="color:{colour}" aria-hidden="true">\u25cf</span> '
    drawn = [f"<td {_CELL}>{escape(cell)}</td>" for cell in cells]
    drawn[1] = f"<td {_CELL}>{mark}{escape(cells[1])}</td>"
    return f"<tr>{''.join(drawn)}</tr>"


def _svg(body: SweepBody) -> str:
    """Draw training losses as lines, eval losses as dots."""
    points = [point for one in body.members for point in (*one.points, *one.eval_points)]
    if not points:
        return ""
    low, high = min(loss for _, loss in points), max(loss for _, loss in points)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    first = min(step for step, _ in points)
    last = max(first + 1, *(step for step, _ in points), *(o.total_steps for o in body.members))
    place = make_place(low, high, first, last)
    looks = _looks(body)
    drawn = [axes(low, high, first, last)]
    for one in sorted(body.members, key=lambda one: -one.rank):
        colour, dash, _ = looks[one.run_id]
        dots = "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
            for x, y in map(place, one.eval_points)
        )
        drawn.append(
            f'<g><title>{escape(one.adapter)}</title><polyline fill="none" stroke="{colour}" '
            f'stroke-width="{2 if one.rank == 1 else 1.2}" stroke-dasharray="{dash}" '
            f'points="{svg_path(one.points, place)}"/>{dots}</g>'
        )
    return svg_frame(f"Losses of {len(body.members)} runs", "".join(drawn))


def _figure(body: SweepBody) -> dict[str, object]:
    looks = _looks(body)
    traces: list[dict[str, object]] = []
    for one in sorted(body.members, key=lambda one: one.rank):
        colour, _, dash = looks[one.run_id]
        shared = {"type": "scatter", "legendgroup": one.run_id, "name": one.adapter}
        line = {"color": colour, "dash": dash}
        traces.append({**shared, "mode": "lines", "line": line, **_axes_of(one.points)})
        if one.eval_points:
            marker = {"color": colour, "size": 8}
            evals = {"mode": "markers", "marker": marker, "showlegend": False}
            traces.append({**shared, **evals, **_axes_of(one.eval_points)})
    layout = {
        "height": 340,
        "margin": {"l": 50, "r": 10, "t": 10, "b": 40},
        "xaxis": {"title": {"text": "step"}, "automargin": True},
        "yaxis": {"title": {"text": "loss (dots: eval loss)"}, "automargin": True},
    }
    return {"data": traces, "layout": layout, "config": {"responsive": True}}


def _axes_of(points: Sequence[tuple[int, float]]) -> dict[str, object]:
    return {"x": [step for step, _ in points], "y": [loss for _, loss in points]}
