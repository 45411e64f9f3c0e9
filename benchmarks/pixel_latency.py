"""How late each step of a log was on the screen, those that never were included."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta


def latencies_of(
    written: Mapping[int, datetime],
    painted: Mapping[str, float],
    began: datetime,
    ended: datetime,
    patience_ms: float,
) -> list[float]:
    """Return the milliseconds from each step's entry to its first frame.

    Args:
        written: When the entry was made, by step.
        painted: When its point was painted first, in milliseconds since 1970, by step as text; 0 or
            missing where it has not been.
        began: Entries made before do not count.
        ended: When it was looked for the last time: what was not painted until then is as late as
            if it had been painted then.
        patience_ms: Entries made this shortly before the end do not count: they had no time.
    """
    last = ended - timedelta(milliseconds=patience_ms)
    until = 1e3 * ended.timestamp()
    return [
        (painted.get(str(step), 0.0) or until) - 1e3 * at.timestamp()
        for step, at in written.items()
        if began < at < last
    ]
