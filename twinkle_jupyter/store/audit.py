"""Who did what: a log that only grows at its end, and is cut off where it is older than wanted.

No entry holds a secret: neither keys nor rows of data, nor what anybody asked a model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Self, cast

from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import now

AUDIT_LOG = "audit"
_PAGE = 1000

Act = Literal[
    "key_made",
    "key_revoked",
    "limits_changed",
    "drain",
    "undrain",
    "broadcast",
    "broadcast_ended",
    "share",
    "unshare",
    "adapter_deleted",
    "checkpoint_deleted",
    "run_started",
    "run_stopped",
    "export_started",
    "adapter_imported",
]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act."""

    who: str
    what: Act
    #: What it was done to: a name, an id, a path; may be empty.
    to: str = ""
    #: More of it, for people; may be empty.
    detail: str = ""
    at: str = field(default_factory=now)

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))  # type: ignore[arg-type]


async def note_act(store: StateStore, who: str, what: Act, to: str = "", detail: str = "") -> None:
    """Write down what somebody has just done."""
    await store.append(AUDIT_LOG, cast("Row", asdict(AuditEntry(who, what, to, detail))))


async def read_acts(
    store: StateStore, *, who: str = "", since: str = "", limit: int = 100
) -> list[AuditEntry]:
    """Return the newest acts, newest first.

    Args:
        store: Has the log.
        who: Of this user alone; empty for all.
        since: ISO 8601, UTC: not those before it; empty for all that are kept.
        limit: How many at most.
    """
    found: list[AuditEntry] = []
    after = 0
    while page := await store.read(AUDIT_LOG, after, _PAGE):
        after = page[-1].position
        acts = [AuditEntry.from_row(one.entry) for one in page]
        found += [act for act in acts if (not who or act.who == who) and act.at >= since]
        found = found[-limit:]
    return found[::-1]


async def cut_acts(store: StateStore, *, keep_days: int, keep_entries: int) -> None:
    """Forget what is older than so many days, and more than so many; the newest one stays."""
    oldest = (datetime.now(tz=UTC) - timedelta(days=keep_days)).isoformat(timespec="milliseconds")
    last = await store.last_position(AUDIT_LOG)
    through, after = max(0, last - keep_entries), 0
    while page := await store.read(AUDIT_LOG, max(after, through), _PAGE):
        old = [one.position for one in page if str(one.entry["at"]) < oldest]
        through = max([through, *old])
        if len(old) < len(page):
            break
        after = page[-1].position
    if through:
        await store.truncate(AUDIT_LOG, through)
