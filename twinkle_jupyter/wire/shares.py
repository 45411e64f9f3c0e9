"""Bodies of `/shared`: what users have given each other to read."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_Group = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ShareBody(BaseModel):
    """Let others read an adapter's checkpoint; once more: these, and nobody else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter: str = Field(min_length=1, max_length=200)
    #: One that there is a checkpoint of; None for what the adapter stands for.
    step: int | None = Field(default=None, ge=0, le=2**53)
    groups: tuple[_Group, ...] = Field(default=(), max_length=100)
    everyone: bool = False


class SharedBody(BaseModel):
    """A checkpoint that may be read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    #: What stands for it wherever an adapter's name may: in a chat, and as what a run begins with.
    path: str
    owner: str
    #: As its owner calls it.
    adapter: str
    base_model: str
    rank: int
    alpha: float
    step: int
    #: Who may read it; told to its owner only.
    groups: tuple[str, ...]
    everyone: bool
    #: ISO 8601, UTC.
    shared_at: str


class SharedListBody(BaseModel):
    """All that the asker may read, newest first."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    shared: tuple[SharedBody, ...]
