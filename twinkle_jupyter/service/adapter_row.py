"""The row of an adapter's name: which run it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self, cast
from urllib.parse import quote

from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import now

#: A name whose run has no row yet belongs to a request under way; after this, to one that died.
_CLAIM_LASTS = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class AdapterRow:
    """A name and its newest run."""

    owner: str
    name: str
    #: Empty when the adapter was deleted.
    run_id: str
    claimed_at: str = field(default_factory=now)

    @staticmethod
    def key(owner: str, name: str) -> str:
        """Where the row is kept; all of an owner's are under `key(owner, "")`."""
        return f"adapter/{quote(owner, safe='')}/{name}"

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))

    @property
    def is_young(self) -> bool:
        """Whether the request that claimed the name may still be at work."""
        return datetime.now(tz=UTC) - datetime.fromisoformat(self.claimed_at) < _CLAIM_LASTS
