"""Whom a micro-batch waits for, and how long: those who are about to send their next op.

Adapters that were answered together send their next ops within milliseconds of each other. A plan
that began with the first of them would leave the others to the next one, and from then on one half
would always wait for the other half. So a plan waits for those who came back promptly the last
time, a small part of what a micro-batch lasts at most. No clock here: every call is told the time.
"""

from __future__ import annotations

from twinkle_jupyter.ids import AdapterId

#: Of the newest micro-batch's seconds.
_SHARE = 0.1
#: An answer is on disk before it is told, which alone takes milliseconds.
_SHORTEST_S = 0.005
_LONGEST_S = 0.05


class Company:
    """Adapters whose ops were all answered and that have sent nothing since."""

    def __init__(self) -> None:
        #: When the last op of each was answered.
        self._left: dict[AdapterId, float] = {}
        #: Those that took longer than a plan waits, the last time.
        self._slow: set[AdapterId] = set()
        self._limit_s = _SHORTEST_S

    def lasted(self, seconds: float) -> None:
        """A micro-batch took so long."""
        self._limit_s = min(_LONGEST_S, max(_SHORTEST_S, _SHARE * seconds))

    def answered(self, adapter_id: AdapterId, now: float) -> None:
        """Nothing of the adapter's is left to do."""
        self._left[adapter_id] = now

    def came(self, adapter_id: AdapterId, now: float) -> None:
        """The adapter has sent an op."""
        left = self._left.pop(adapter_id, None)
        if left is None:
            return
        if now - left > self._limit_s:
            self._slow.add(adapter_id)
        else:
            self._slow.discard(adapter_id)

    def gone(self, adapter_id: AdapterId) -> None:
        """The adapter is no more."""
        self._left.pop(adapter_id, None)
        self._slow.discard(adapter_id)

    def wait_s(self, now: float) -> float:
        """Return how long a plan should wait for the last of them; 0 if for nobody."""
        ends = [
            left + self._limit_s - now
            for adapter_id, left in self._left.items()
            if adapter_id not in self._slow
        ]
        return max([0.0, *ends])
