"""How long a run waits for compute that is away, and how often it looks."""

from __future__ import annotations

import time

#: A trainer that is away comes back: a run waits this long for its next step before it fails.
_PATIENCE_S = 1800.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0


class Patience:
    """Grows thin while no new step comes, and is whole again with each that does.

    Args:
        step: The newest step there is.
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self._pause_s = _FIRST_PAUSE_S
        self._renewed_at = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether it has been too long since the last new step."""
        return time.monotonic() - self._renewed_at > _PATIENCE_S

    def next_pause(self, step: int) -> float:
        """Return the seconds until the next attempt, after one that came as far as `step`."""
        if step > self._step:
            self._step = step
            self._pause_s = _FIRST_PAUSE_S
            self._renewed_at = time.monotonic()
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return pause_s
