"""Whom a micro-batch waits for, and how long: those who are about to send their next op.

Adapters that were answered together send their next ops within milliseconds of each other. A plan
that began with the first of them would leave the others to the next one, and from then on one half
would always wait for the other half. So a plan waits for those who came back promptly the last
time: a small part of what a micro-batch lasts, or half as long again as the promptest of those who
wait already was away, whichever is more. No clock here: every call is told the time.
"""

from __future__ import annotations

from twinkle_jupyter.ids import AdapterId

#: Of the newest micro-batch's seconds.
_SHARE = 0.1
#: Of the time that the promptest was away: steps of a few milliseconds are less than the way there
#: and back, and those who are as far away as oneself are there soon.
_AS_FAR = 1.5
#: An answer is on disk before it is told, which alone takes milliseconds.
_SHORTEST_S = 0.005
_LONGEST_S = 0.05


class Company:
    """Adapters whose ops were all answered and that have sent nothing since."""

    def __init__(self) -> None:
        #: When the last op of each was answered.
        self._left: dict[AdapterId, float] = {}
        #: How long each was away that has an op which is not answered.
        self._was_away: dict[AdapterId, float] = {}
        #: Those that took longer than a plan waits, the last time.
        self._slow: set[AdapterId] = set()
        self._share_s = _SHORTEST_S

    def lasted(self, seconds: float) -> None:
        """A micro-batch took so long."""
        self._share_s = max(_SHORTEST_S, _SHARE * seconds)

    def answered(self, adapter_id: AdapterId, now: float) -> None:
        """Nothing of the adapter's is left to do."""
        self._left[adapter_id] = now
        self._was_away.pop(adapter_id, None)

    def came(self, adapter_id: AdapterId, now: float) -> None:
        """The adapter has sent an op."""
        left = self._left.pop(adapter_id, None)
        if left is None:
            return
        away = now - left
        # Whom nobody waited for is slow only if nobody ever would.
        limit = self._limit_s() if self._was_away else _LONGEST_S
        if away > limit:
            self._slow.add(adapter_id)
        else:
            self._slow.discard(adapter_id)
        self._was_away[adapter_id] = away

    def gone(self, adapter_id: AdapterId) -> None:
        """The adapter is no more."""
        self._left.pop(adapter_id, None)
        self._was_away.pop(adapter_id, None)
        self._slow.discard(adapter_id)

    def wait_s(self, now: float) -> float:
        """Return how long a plan should wait for the last of them; 0 if for nobody."""
        limit = self._limit_s()
        ends = [
            left + limit - now
            for adapter_id, left in self._left.items()
            if adapter_id not in self._slow
        ]
        return max([0.0, *ends])

    def _limit_s(self) -> float:
        promptest = min(self._was_away.values(), default=0.0)
        return min(_LONGEST_S, max(self._share_s, _AS_FAR * promptest))
