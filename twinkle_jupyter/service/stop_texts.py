"""Texts that end an answer and are no part of it, found while it comes piece by piece."""

from __future__ import annotations

from collections.abc import Sequence


class StopTexts:
    """Lets through what cannot become one of these texts any more.

    Args:
        texts: None of them empty.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)
        self._held = ""
        #: Whether one of them has come; nothing is let through afterwards.
        self.has_ended = False

    def feed(self, text: str) -> str:
        """Take in the next piece; return what may be told."""
        if self.has_ended:
            return ""
        self._held += text
        found = [
            (place + len(stop), place)
            for stop in self._texts
            if (place := self._held.find(stop)) >= 0
        ]
        if found:
            # The one that is complete first, however the text is cut into pieces.
            self.has_ended = True
            told, self._held = self._held[: min(found)[1]], ""
            return told
        kept = max((self._overlap(stop) for stop in self._texts), default=0)
        told, self._held = self._held[: len(self._held) - kept], self._held[-kept:] if kept else ""
        return told

    def rest(self) -> str:
        """The answer is over: return what was held back."""
        told, self._held = self._held, ""
        return told

    def _overlap(self, stop: str) -> int:
        """Return how much of the end of what is held could be the beginning of a stop text."""
        longest = min(len(stop) - 1, len(self._held))
        ends = (size for size in range(longest, 0, -1) if self._held.endswith(stop[:size]))
        return next(ends, 0)
