"""Server-sent events as they come off the wire (HTML standard, section 9.2), line by line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One event."""

    event: str
    data: str
    #: Empty when the event has none.
    event_id: str = ""


class FrameParser:
    """Puts lines together to events. An event that was cut off by the end is never given."""

    def __init__(self) -> None:
        self._event = ""
        self._data: list[str] = []
        self._event_id = ""

    def feed(self, line: str) -> Frame | None:
        """Take the next line without its end; return the event that it completes, if it does."""
        if not line:
            frame = Frame(self._event or "message", "\n".join(self._data), self._event_id)
            is_event = bool(self._data)
            self._event, self._data, self._event_id = "", [], ""
            return frame if is_event else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self._event_id = value
        return None
