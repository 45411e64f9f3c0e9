"""The store as everybody above it sees it: key-value rows and append-only logs.

Values are JSON. Nothing here knows runs, users, tensors or HTTP. All calls are safe from several
processes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
Row: TypeAlias = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One durable entry of a log."""

    #: 1, 2, 3, … without a gap; browsers send it back as `Last-Event-ID`.
    position: int
    entry: Row


class StateStore(Protocol):
    """Key-value rows with atomic update, and logs that can be read from any position."""

    async def get(self, key: str) -> Row | None:
        """Return the row, or None."""
        ...

    async def put(self, key: str, row: Row) -> None:
        """Write the row, whatever was there."""
        ...

    async def put_if_absent(self, key: str, row: Row) -> bool:
        """Write the row unless the key has one; tell whether it was written."""
        ...

    async def update(self, key: str, change: Callable[[Row | None], Row]) -> Row:
        """Replace the row by `change(row)` in one transaction; return the new row.

        `change` may run more than once and must have no side effects. What it raises passes
        through, and nothing is written.
        """
        ...

    async def delete(self, key: str) -> bool:
        """Remove the row; tell whether there was one."""
        ...

    async def list_rows(self, prefix: str) -> list[tuple[str, Row]]:
        """Return keys and rows whose key starts with `prefix`, in key order."""
        ...

    async def append(self, log: str, entry: Row) -> int:
        """Add an entry, durable when this returns; return its position."""
        ...

    async def append_all(self, log: str, entries: Sequence[Row]) -> int:
        """Add entries in their order, all or none; return the last one's position.

        One write to the disk for all of them: what comes together costs as much as one.
        """
        ...

    async def truncate(self, log: str, through: int) -> None:
        """Forget the entries up to and with this position; the newest one always stays.

        Positions go on as if they were there.
        """
        ...

    async def read(self, log: str, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return up to `limit` entries with a position greater than `after`, in order."""
        ...

    async def last_position(self, log: str) -> int:
        """Return the newest entry's position, 0 for an empty log."""
        ...

    async def wait(self, log: str, after: int, timeout_s: float) -> bool:
        """Wait until the log has an entry beyond `after`; False when the time is over."""
        ...

    async def close(self) -> None:
        """Release files and threads; waiting calls end at once."""
        ...
