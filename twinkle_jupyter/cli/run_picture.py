"""A run drawn in the terminal: its losses as a row of bars, where it is, what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from twinkle_jupyter.notebook.figures import format_memory, phase_line
from twinkle_jupyter.notebook.snapshot import RunPicture

if TYPE_CHECKING:
    from twinkle_jupyter.client.event_stream import LinkState
    from twinkle_jupyter.client.sweep_commands import SweepCommands

_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 60


def show_live(client: SweepCommands, run_id: str, console: Console) -> None:
    """Draw a run until its end, over restarts of the service."""
    picture = RunPicture()
    with Live(draw(picture), console=console, refresh_per_second=8) as live:

        def on_link(link: LinkState, message: str) -> None:
            live.update(draw(picture, f"{message} Waiting for it …" if link == "waiting" else ""))

        for event in client.events(run_id, on_link=on_link):
            picture.add(event.id, event.entry)
            live.update(draw(picture))


def draw(picture: RunPicture, waits_for: str = "") -> RenderableType:
    """Return the run as lines of text; the last one says what is waited for."""
    parts: list[RenderableType] = []
    if picture.points:
        losses = [loss for _, loss in picture.points]
        parts.append(Text(_bars(losses[-_MOST_BARS:]), style="green"))
        bar = Table.grid()  # by itself a bar does not end its line
        bar.add_row(ProgressBar(max(1, picture.total_steps), picture.step, width=_MOST_BARS))
        parts.append(bar)
        numbers = Table.grid(padding=(0, 3))
        where = f"step {picture.step} of {picture.total_steps}"
        numbers.add_row(picture.state, where, f"loss {losses[-1]:.3f}")
        parts.append(numbers)
        if said := phase_line(picture.snapshot()):
            parts.append(Text(said, style="dim"))
    elif picture.memory_bytes:
        parts.append(Text(f"needs about {format_memory(picture.memory_bytes)}", style="dim"))
    if said := picture.reason or picture.message or picture.notice:
        parts.append(Text(said, style="dim"))
    parts += [
        Text.assemble((f"{probe['prompt']} ", "bold"), probe["answer"])
        for probe in picture.probes.values()
    ]
    if waits_for:
        parts.append(Text(waits_for, style="dim"))
    return Group(*parts)


def _bars(losses: list[float]) -> str:
    low, high = min(losses), max(losses)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((loss - low) * scale)] for loss in losses)
