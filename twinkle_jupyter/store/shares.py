"""What a user has given others to read: one checkpoint, to some groups or to everyone.

The key is the path without its owner: ids are nobody else's, so whoever was handed the path needs
no other name. A run's checkpoint and what a client saved are shared in the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Self, cast

from twinkle_jupyter.store.client_rows import WeightsKind
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import now


@dataclass(frozen=True, slots=True)
class ShareRow:
    """A checkpoint that others may read."""

    owner: str
    #: The run, or the client's adapter, that it is of.
    source: str
    kind: WeightsKind
    #: Of the checkpoint.
    name: str
    #: As its owner calls the adapter.
    adapter: str
    base_model: str
    rank: int
    alpha: float
    step: int
    #: Whether a run made it, and not a client.
    is_of_run: bool
    #: What a client saved, absolute: what it saves later under that name is shared anew, or not at
    #: all. Empty for a run's checkpoint, which is written once.
    folder: str = ""
    #: Who may read it beside its owner.
    groups: Sequence[str] = ()
    is_public: bool = False
    shared_at: str = field(default_factory=now)

    PREFIX: ClassVar[str] = "share/"

    @classmethod
    def key(cls, source: str, kind: str, name: str) -> str:
        """Where the row is kept."""
        return f"{cls.PREFIX}{source}/{kind}/{name}"

    @classmethod
    def prefix(cls, source: str) -> str:
        """What the keys of all of a run's, or of a client's adapter's, begin with."""
        return f"{cls.PREFIX}{source}/"

    @property
    def path(self) -> str:
        """What is handed on to those who may read it."""
        return f"twinkle://{self.source}/{self.kind}/{self.name}"

    def is_readable(self, owner: str, groups: Collection[str]) -> bool:
        """Whether this user may read it."""
        return self.owner == owner or self.is_public or not set(groups).isdisjoint(self.groups)

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))  # type: ignore[arg-type]
