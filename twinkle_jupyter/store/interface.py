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
    """Key-value rows with atomic update, and logs that can be read from any position.

    A row may have a time to live, in seconds by the store's own clock; afterwards it is not there.
    """

    async def get(self, key: str) -> Row | None:
        """Return the row, or None."""
        ...

    async def get_many(self, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows of these keys, in their order, as they are at one moment."""
        ...

    async def put(self, key: str, row: Row, *, ttl_s: float | None = None) -> None:
        """Write the row, whatever was there; None lets it live for good."""
        ...

    async def put_if_absent(self, key: str, row: Row, *, ttl_s: float | None = None) -> bool:
        """Write the row unless the key has one; tell whether it was written."""
        ...

    async def replace(
        self, key: str, before: Row, after: Row, *, ttl_s: float | None = None
    ) -> bool:
        """Write `after` if the row is `before`; tell whether it was.

        `before` is as it was written or read, its fields in the same order. A `ttl_s` of 0 lets the
        row go.
        """
        ...

    async def update(self, key: str, change: Callable[[Row | None], Row]) -> Row:
        """Replace the row by `change(row)` in one transaction; return the new row.

        `change` may run more than once and must have no side effects. What it raises passes
        through, and nothing is written. A row that was to live for a time lives no longer by it.
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

    async def check(self, timeout_s: float) -> None:
        """Return when the store answers now; whatever patience it has is not made use of.

        Raises:
            ServiceUnavailableError: It does not, or takes longer.
        """
        ...

    async def close(self) -> None:
        """Release files and threads; waiting calls end at once."""
        ...
