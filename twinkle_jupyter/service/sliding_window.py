"""How much there was in the last while: counts by short slots of time, without I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Slots = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Window:
    """A while that moves with time.

    What is counted in a slot counts until the whole slot is older than the window: in no stretch of
    `slot_s * num_slots` seconds is there more than the limit, whatever the clock.
    """

    slot_s: float
    num_slots: int

    def live(self, slots: Slots, now: float) -> dict[str, int]:
        """Return the slots that still count."""
        oldest = self._slot(now) - self.num_slots
        # A clock of another replica may be a little ahead.
        return {slot: count for slot, count in slots.items() if int(slot) >= oldest}

    def add(self, slots: Slots, now: float, amount: int) -> dict[str, int]:
        """Return the slots that count with this much more."""
        live, slot = self.live(slots, now), str(self._slot(now))
        return {**live, slot: live.get(slot, 0) + amount}

    def frees_in(self, slots: Slots, now: float, amount: int, limit: int) -> float:
        """Return the seconds until there is room for `amount`; 0 where there is, inf for never."""
        if amount > limit:
            return math.inf
        live = self.live(slots, now)
        used = sum(live.values())
        for slot in sorted(live, key=int):
            if used + amount <= limit:
                break
            used -= live[slot]
            free_at = (int(slot) + self.num_slots + 1) * self.slot_s
            if used + amount <= limit:
                return max(free_at - now, 0.001)
        return 0.0

    def first_free_in(self, slots: Slots, now: float) -> float | None:
        """Return the seconds until some of what counts does not; None where nothing does."""
        live = [int(slot) for slot, count in self.live(slots, now).items() if count]
        if not live:
            return None
        return max((min(live) + self.num_slots + 1) * self.slot_s - now, 0.0)

    def _slot(self, now: float) -> int:
        return math.floor(now / self.slot_s)


SECOND = Window(0.1, 10)
MINUTE = Window(1.0, 60)
