"""Server-sent events as they come off the wire (HTML standard, section 9.2), line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One event."""

    event: str
    data: str
    #: Empty when the event has none.
    event_id: str = ""


def parse_frames(lines: Iterable[str]) -> Iterator[Frame | None]:
    """Yield events, and None for every other line, so that a reader gets a turn.

    An event that was cut off by the end is dropped.
    """
    event, data, event_id = "", list[str](), ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Frame(event or "message", "\n".join(data), event_id)
            event, data, event_id = "", [], ""
            continue
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            event_id = value
        yield None
