"""What happened along a run, as marks for its plot: steering, commands, interruptions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

#: Marks that a snapshot keeps, the newest.
MAX_MARKS = 60
_MAX_LABEL_CHARS = 28
_MAX_TEXT_CHARS = 400
_SHORT_NAMES = {"learning_rate": "lr", "batch_size": "batch"}


class Mark(TypedDict):
    """Something that happened before a step; what is of one kind at one step is one."""

    step: int
    #: `steered`, `command` or `interrupted`.
    kind: str
    #: A few characters beside the line.
    label: str
    #: Everything, for a tooltip.
    text: str


def add_mark(marks: list[Mark], mark: Mark) -> None:
    """Add a mark; it joins one of its kind at the same step."""
    for place, known in enumerate(marks):
        if known["step"] == mark["step"] and known["kind"] == mark["kind"]:
            mark = {
                **mark,
                "label": _join(known["label"], mark["label"], ", "),
                "text": _join(known["text"], mark["text"], "; "),
            }
            del marks[place]
            marks.insert(place, _bounded(mark))
            return
    marks.append(_bounded(mark))
    del marks[:-MAX_MARKS]


def steered_mark(step: int, changes: Mapping[str, object], refusal: str) -> Mark:
    """Return the mark of changed settings, or of a change that was refused."""
    everything = ", ".join(f"{name} = {_told(name, value)}" for name, value in changes.items())
    if refusal:
        text = f"{everything}: {refusal}"
        return {"step": step, "kind": "steered", "label": "refused", "text": text}
    label = ", ".join(
        f"{_SHORT_NAMES.get(name, name.replace('_', ' '))} {_told(name, value)}"
        for name, value in changes.items()
    )
    return {"step": step, "kind": "steered", "label": label, "text": everything}


def command_mark(step: int, command: str) -> Mark:
    """Return the mark of a pause, a resume or a stop."""
    return {"step": step, "kind": "command", "label": command, "text": command}


def interruption_mark(step: int, reason: str, since: str, until: str) -> Mark:
    """Return the mark of an interruption between two ISO 8601 times; either may be empty."""
    label = "interrupted"
    if since and until:
        seconds = (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
        label = f"interrupted {_format_gap(max(0.0, seconds))}"
    text = f"{label}: {reason}" if reason else label
    return {"step": step, "kind": "interrupted", "label": label, "text": text}


def _format_gap(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 1 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _told(name: str, value: object) -> str:
    if isinstance(value, int | float):
        return _format_rate(value) if name == "learning_rate" else f"{value:g}"
    if isinstance(value, list | tuple):
        return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"
    return value if isinstance(value, str) else "none"


def _format_rate(rate: float) -> str:
    if rate == 0 or rate >= 0.01:
        return f"{rate:.3g}"
    digits, exponent = f"{rate:.2e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _join(known: str, added: str, between: str) -> str:
    return known if known == added else f"{known}{between}{added}"


def _bounded(mark: Mark) -> Mark:
    return {
        **mark,
        "label": _cut(mark["label"], _MAX_LABEL_CHARS),
        "text": _cut(mark["text"], _MAX_TEXT_CHARS),
    }


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
