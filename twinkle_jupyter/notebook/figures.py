"""Static pictures of a run: SVG and HTML, a plain plotly figure, one line of text.

They are what a notebook shows where nothing of ours is installed, and what it keeps when saved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from twinkle_jupyter.notebook.probe_history import Probe
from twinkle_jupyter.notebook.run_marks import Mark
from twinkle_jupyter.notebook.snapshot import Point, Snapshot, thin_out

_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 12, 30
#: Told apart by people who see colours differently, and on light and dark.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999933", "#ee7733")
Place = Callable[[Point], tuple[float, float]]
#: Points of a picture that nothing draws anew, at most: of a line, and of dots.
_MAX_LINE, _MAX_DOTS = 250, 50
_BLUE, _ORANGE = "var(--jp-brand-color1, #1976d2)", "var(--jp-warn-color1, #e65100)"


def run_line(adapter: str, picture: Snapshot) -> str:
    """Return the run as one line of text."""
    parts = [f"{adapter}: {picture['state']}"]
    if picture["total_steps"]:
        parts.append(f"step {picture['step']} of {picture['total_steps']}")
    if picture["points"]:
        parts.append(f"loss {picture['points'][-1][1]:.3f}")
    parts += [f"{name.replace('_', ' ')} {said:.3f}" for name, said in picture["metrics"].items()]
    if picture["memory_bytes"] and not picture["step"]:
        parts.append(f"needs about {format_memory(picture['memory_bytes'])}")
    if detail := picture["reason"] or picture["message"] or picture["notice"]:
        parts.append(detail)
    return ", ".join(parts)


def format_memory(size_bytes: int) -> str:
    """Return bytes as people read them: `1.2 GB`, `640 MB`, `52 kB`."""
    if size_bytes < 1e6:
        return f"{size_bytes / 1e3:.0f} kB"
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def phase_line(picture: Snapshot) -> str:
    """Say where the newest step's time went; empty before there is one."""
    phases = picture["phase_seconds"]
    if phases is None or not any(phases.values()):
        return ""
    named = (
        f"forward {phases['forward']:.2f} s",
        f"backward {phases['backward']:.2f} s",
        f"optimizer {phases['optimizer']:.2f} s",
        f"waited {phases['queue']:.2f} s",
    )
    return " · ".join(named)


def run_html(adapter: str, picture: Snapshot) -> str:
    """Return the run as a heading, its curve and what its probes answered."""
    heading = f"<div><strong>{escape(run_line(adapter, picture))}</strong></div>"
    curve = run_svg(picture) if picture["points"] else ""
    return f"<div>{heading}{curve}{_probe_table(picture['probes'])}</div>"


def run_svg(picture: Snapshot) -> str:
    """Return the loss curve as SVG that is as wide as the cell and follows its colours."""
    points = thin_out(picture["points"], _MAX_LINE)
    evals = thin_out(picture["eval_points"], _MAX_DOTS)
    losses = [loss for _, loss in (*points, *evals)] or [0.0]
    low, high = min(losses), max(losses)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    first = min((step for step, _ in (*points, *evals)), default=0)
    last = max(picture["total_steps"], picture["step"], first + 1)

    place = make_place(low, high, first, last)
    label = f"Loss, now {points[-1][1]:.3f} at step {points[-1][0]}" if points else "Loss"
    best = _best(picture["eval_points"], place)
    return svg_frame(
        label,
        f"{axes(low, high, first, last)}"
        f'<polyline fill="none" stroke="{_BLUE}" stroke-width="1.5" '
        f'points="{svg_path(points, place)}"/>'
        f"{_dots(evals, place)}{best}"
        f"{_mark_lines(picture['marks'], place, low)}",
    )


def svg_frame(label: str, drawn: str) -> str:
    """Return what was drawn as a picture that is as wide as the cell and follows its colours."""
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'style="width:100%;max-width:960px" font-family="sans-serif" font-size="11" '
        f'fill="currentColor">{drawn}</svg>'
    )


def make_place(low: float, high: float, first: int, last: int) -> Place:
    """Return where a point lies in the frame, for losses and steps between these."""

    def place(point: Point) -> tuple[float, float]:
        across = (point[0] - first) / (last - first)
        up = (point[1] - low) / (high - low)
        inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + across * inner_width, _HEIGHT - _BOTTOM - up * inner_height

    return place


def plotly_figure(picture: Snapshot) -> dict[str, object]:
    """Return a figure as plain JSON; without a template it is a fiftieth of the size."""
    traces = [_trace("loss", thin_out(picture["points"], _MAX_LINE), "lines")]
    if picture["eval_points"]:
        evals = thin_out(picture["eval_points"], _MAX_DOTS)
        traces.append(_trace("eval loss", evals, "lines+markers"))
    layout = {
        "height": 300,
        "margin": {"l": 50, "r": 10, "t": 10, "b": 40},
        "xaxis": {"title": {"text": "step"}, "automargin": True},
        "yaxis": {"title": {"text": "loss"}, "automargin": True},
        "showlegend": len(traces) > 1,
        "shapes": [_shape(mark) for mark in picture["marks"]],
        "annotations": [_note(mark) for mark in picture["marks"] if mark["kind"] != "command"],
    }
    return {"data": traces, "layout": layout, "config": {"responsive": True}}


def _shape(mark: Mark) -> dict[str, object]:
    width = 7 if mark["kind"] == "interrupted" else 1
    line = {"color": "gray", "width": width, "dash": _DASHES.get(mark["kind"], "solid")}
    across = {"x0": mark["step"], "x1": mark["step"], "yref": "paper", "y0": 0, "y1": 1}
    opacity = 0.8 if mark["kind"] == "steered" else 0.3
    return {"type": "line", **across, "line": line, "opacity": opacity}


_DASHES = {"command": "dot"}


def _note(mark: Mark) -> dict[str, object]:
    return {
        "x": mark["step"],
        "y": 1,
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "top",
        "showarrow": False,
        "text": escape(mark["label"]),
        "hovertext": escape(f"step {mark['step']}: {mark['text']}"),
    }


def _trace(name: str, points: Sequence[Point], mode: str) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": mode,
        "name": name,
        "x": [step for step, _ in points],
        "y": [loss for _, loss in points],
    }


def axes(low: float, high: float, first: int, last: int) -> str:
    """Draw the lines of the losses, and the first and the last step."""
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    lines = "".join(
        f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" '
        f'stroke-opacity="0.15"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        for y, value in (
            (_TOP + i * (bottom - _TOP) / 4, high - i * (high - low) / 4) for i in range(5)
        )
    )
    return (
        f'{lines}<text x="{_LEFT}" y="{bottom + 16}">{first}</text>'
        f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{last}</text>'
        f'<text x="{(_LEFT + right) / 2}" y="{bottom + 16}" text-anchor="middle">step</text>'
    )


def svg_path(points: Sequence[Point], place: Place) -> str:
    """Return the points of a polyline."""
    placed = [place(point) for point in points]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)


def _dots(points: Sequence[Point], place: Place) -> str:
    placed = [place(point) for point in points]
    return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_ORANGE}"/>' for x, y in placed)


def _best(evals: Sequence[Point], place: Place) -> str:
    if not evals:
        return ""
    best = min(evals, key=lambda point: point[1])
    x, y = place(best)
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6.5" fill="none" stroke="{_ORANGE}">'
        f"<title>best: {best[1]:.3f} at step {best[0]}</title></circle>"
    )


def _mark_lines(marks: Sequence[Mark], place: Place, low: float) -> str:
    """Draw lines across, and labels where they do not lie over each other."""
    drawn: list[str] = []
    ends = [-1.0, -1.0]
    for mark in marks:
        x, _ = place((mark["step"], low))
        x = min(max(x, _LEFT), _WIDTH - _RIGHT)
        width, opacity = (7, 0.3) if mark["kind"] == "interrupted" else (1, 0.6)
        label_width = 6.0 * len(mark["label"])
        start = x + 4 if x + 4 + label_width < _WIDTH else x - 4 - label_width
        label = ""
        if mark["kind"] == "command":
            opacity = 0.25
        elif (row := next((row for row, end in enumerate(ends) if end < start), None)) is not None:
            y = _TOP + 9 + 13 * row
            label = f'<text x="{start:.1f}" y="{y}">{escape(mark["label"])}</text>'
            ends[row] = start + label_width
        drawn.append(
            f"<g><title>step {mark['step']}: {escape(mark['text'])}</title>"
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" '
            f'stroke="currentColor" stroke-width="{width}" stroke-opacity="{opacity}"/>{label}</g>'
        )
    return "".join(drawn)


def _probe_table(probes: Sequence[Probe]) -> str:
    if not probes:
        return ""
    rows = "".join(_probe_row(probe) for probe in probes)
    head = "".join(
        f'<th scope="col" style="text-align:left">{name}</th>' for name in _PROBE_HEADINGS
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


_PROBE_HEADINGS = ("probe", "before", "answer", "step")


def _probe_row(probe: Probe) -> str:
    before = probe["before"]["answer"] if "before" in probe else ""
    cells = (probe["prompt"], before, probe["answer"], str(probe["step"]))
    style = 'style="text-align:left;white-space:pre-wrap;vertical-align:top"'
    return "<tr>" + "".join(f"<td {style}>{escape(cell)}</td>" for cell in cells) + "</tr>"
