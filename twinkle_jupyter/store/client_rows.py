"""Rows of clients that train step by step: sessions, their adapters, what they saved, samplers.

Every key begins with its kind and its owner, so that nobody can name what is another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar, Literal, Self, cast
from urllib.parse import quote

from twinkle_jupyter.store.interface import JSON, Row
from twinkle_jupyter.store.records import now

WeightsKind = Literal["weights", "sampler_weights", "external_weights"]


def _key(kind: str, owner: str, name: str) -> str:
    return f"{kind}/{quote(owner, safe='')}/{name}"


@dataclass(frozen=True, slots=True)
class ClientRow:
    """What all of them can."""

    owner: str

    @staticmethod
    def row_key(kind: str, owner: str, name: str) -> str:
        """Return where a row of this kind is kept."""
        return _key(kind, owner, name)

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        return cls(**cast("dict[str, str]", dict(row)))

    def changed(self, **changes: JSON) -> Self:
        """Return a copy with these fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SessionRow(ClientRow):
    """A client's lease on its adapters and samplers."""

    session_id: str
    user_metadata: Mapping[str, JSON] = field(default_factory=dict)
    tags: Sequence[str] = ()
    display_name: str = ""
    sdk_version: str = ""
    #: How it ended; empty while it lasts.
    finished: str = ""
    heard_at: str = field(default_factory=now)
    #: Whether its adapters were put away since it was heard of last.
    is_put_away: bool = False
    created_at: str = field(default_factory=now)

    PREFIX: ClassVar[str] = "session/"

    #: Of empty rows, one for each session that may hold adapters in slots.
    OPEN_PREFIX: ClassVar[str] = "open-session/"

    @staticmethod
    def key(owner: str, session_id: str) -> str:
        """Where the row is kept; all of an owner's are under `key(owner, "")`."""
        return _key("session", owner, session_id)

    @property
    def open_key(self) -> str:
        """Where it is noted that the session may hold adapters in slots."""
        return _key("open-session", self.owner, self.session_id)

    @classmethod
    def key_of_open(cls, open_key: str) -> str:
        """Return where the row of a noted session is kept."""
        return f"{cls.PREFIX}{open_key.removeprefix(cls.OPEN_PREFIX)}"


@dataclass(frozen=True, slots=True)
class WeightsToLoad:
    """A checkpoint that an adapter is to become."""

    #: As the client named it; empty for what it was put away as.
    path: str
    #: Absolute.
    folder: str
    with_optimizer: bool
    #: The client's op that asks for it; 0 for what an adapter begins with.
    sequence_id: int = 0
    #: Of whoever asked: whether it is shared with them is looked up again when it is loaded.
    groups: Sequence[str] = ()

    def to_row(self) -> Row:
        """Return it as JSON."""
        return cast("Row", {**asdict(self), "groups": sorted(self.groups)})


@dataclass(frozen=True, slots=True)
class ClientAdapterRow(ClientRow):
    """An adapter that a client trains."""

    adapter_id: str
    session_id: str
    base_model: str
    rank: int
    alpha: float
    seed: int
    #: Parts that it has matrices in.
    trains: Sequence[str] = ("attn", "mlp")
    #: Last parts of the names of the layers that it is on, where a client names these; or empty.
    targets: Sequence[str] = ()
    user_metadata: Mapping[str, JSON] = field(default_factory=dict)
    #: Whether the trainer has had it; what it has lost since is not made from nothing.
    is_made: bool = False
    #: A `WeightsToLoad` that no trainer has loaded yet; empty for none.
    to_load: Row = field(default_factory=dict)
    #: The client's sequence ids less this are the trainer's, which begin anew with each load.
    id_offset: int = 0
    #: What it is put away as, once it is: a `WeightsToLoad`; empty for none.
    parked: Row = field(default_factory=dict)
    #: Why the newest load failed, by the client's sequence id.
    failed_loads: Mapping[str, str] = field(default_factory=dict)
    used_at: str = field(default_factory=now)
    created_at: str = field(default_factory=now)

    PREFIX: ClassVar[str] = "client-adapter/"

    @staticmethod
    def key(owner: str, adapter_id: str) -> str:
        """Where the row is kept; all of an owner's are under `key(owner, "")`."""
        return _key("client-adapter", owner, adapter_id)

    @staticmethod
    def name_model(session_id: str, number: int | str) -> str:
        """Return the id of a Tinker session's adapter of that number, as its client has it."""
        return f"{session_id}:train:{number}"

    @classmethod
    def prefix_of_session(cls, owner: str, session_id: str) -> str:
        """What the keys of a session's adapters begin with, and perhaps those of others."""
        return cls.key(owner, session_id)

    def has_loaded(self, sequence_id: int) -> bool:
        """Whether this op of the client's, which loads weights, was carried out or has failed."""
        return str(sequence_id) in self.failed_loads or self.id_offset >= sequence_id

    @property
    def is_put_away(self) -> bool:
        """Whether it lies on disk only, until its next op."""
        return bool(self.to_load) and not self.to_load["path"]

    @property
    def weights_to_load(self) -> WeightsToLoad | None:
        """What it becomes before its next op; None for nothing."""
        return WeightsToLoad(**self.to_load) if self.to_load else None  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SavedWeightsRow(ClientRow):
    """A checkpoint that a client gave a name; there once its folder is whole."""

    adapter_id: str
    kind: WeightsKind
    name: str
    base_model: str
    rank: int
    trains: Sequence[str]
    #: Absolute.
    folder: str
    #: The client's op that saves it.
    sequence_id: int
    #: Absolute folder that it takes the place of once it is whole; empty for none.
    replaces: str = ""
    user_metadata: Mapping[str, JSON] = field(default_factory=dict)
    #: ISO 8601, UTC; empty for one that stays.
    expires_at: str = ""
    created_at: str = field(default_factory=now)

    PREFIX: ClassVar[str] = "saved-weights/"

    @staticmethod
    def prefix(owner: str, adapter_id: str = "") -> str:
        """What the keys of all of an owner's begin with, or of all of one adapter's."""
        return _key("saved-weights", owner, f"{adapter_id}/" if adapter_id else "")

    @classmethod
    def key(cls, owner: str, adapter_id: str, kind: str, name: str) -> str:
        """Where the row is kept."""
        return f"{cls.prefix(owner, adapter_id)}{kind}/{name}"

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON, also from before there were rows of what is shared."""
        known = {name: value for name, value in row.items() if name != "is_public"}
        return cls(**cast("dict[str, str]", known))  # type: ignore[arg-type]

    @property
    def path(self) -> str:
        """As clients name it."""
        return f"tinker://{self.adapter_id}/{self.kind}/{self.name}"

    @property
    def has_expired(self) -> bool:
        """Whether it is to go."""
        return bool(self.expires_at) and self.expires_at <= now()


@dataclass(frozen=True, slots=True)
class SamplingSessionRow(ClientRow):
    """What a client samples from: a base model, alone or with weights that do not change."""

    sampling_session_id: str
    session_id: str
    base_model: str
    #: Absolute folder of the weights; empty for the base model alone.
    folder: str = ""
    #: As the client named them; empty for those without a name.
    model_path: str = ""
    #: The adapter that weights without a name are of.
    adapter_id: str = ""
    #: Whether the weights are another user's.
    is_shared: bool = False
    created_at: str = field(default_factory=now)

    @staticmethod
    def key(owner: str, sampling_session_id: str) -> str:
        """Where the row is kept; all of an owner's are under `key(owner, "")`."""
        return _key("sampling-session", owner, sampling_session_id)

    @classmethod
    def prefix_of_session(cls, owner: str, session_id: str) -> str:
        """What the keys of a session's begin with."""
        return cls.key(owner, f"{session_id}:sample:")

    @property
    def has_own_weights(self) -> bool:
        """Whether its weights have no name, and go with it."""
        return bool(self.adapter_id and self.folder and not self.model_path)
