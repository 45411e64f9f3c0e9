"""What an admin tells everybody: that the service rests for maintenance, and a message."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Literal, Self, cast

from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import now

Level = Literal["info", "warning"]


@dataclass(frozen=True, slots=True)
class MaintenanceRow:
    """While it is there no new work is taken in, and every run rests at a checkpoint.

    It pauses no run by name: whose user wants it to run goes on when the row is gone, and whose
    user paused it does not.
    """

    KEY: ClassVar[str] = "service/maintenance"

    #: The admin's sentence.
    message: str
    by: str
    #: ISO 8601, UTC; when it is expected to be over, empty for nobody knows.
    until: str = ""
    since: str = field(default_factory=now)

    @property
    def seconds_left(self) -> float | None:
        """Until it is expected to be over, not below 0; None where nobody knows."""
        if not self.until:
            return None
        left = datetime.fromisoformat(self.until) - datetime.now(tz=UTC)
        return max(0.0, left.total_seconds())

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))


@dataclass(frozen=True, slots=True)
class BroadcastRow:
    """A message that panels, sidebar and status show, until its time is over."""

    KEY: ClassVar[str] = "service/broadcast"

    message: str
    level: Level
    by: str
    #: ISO 8601, UTC.
    expires_at: str
    sent_at: str = field(default_factory=now)

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))  # type: ignore[arg-type]


async def read_notices(store: StateStore) -> tuple[MaintenanceRow | None, BroadcastRow | None]:
    """Return both; None for one that is not there."""
    rest, said = await store.get_many([MaintenanceRow.KEY, BroadcastRow.KEY])
    return (
        None if rest is None else MaintenanceRow.from_row(rest),
        None if said is None else BroadcastRow.from_row(said),
    )
