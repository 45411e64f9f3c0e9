"""Bodies of the routes by which a user of a JupyterHub has API keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class NewKeyBody(BaseModel):
    """A key that is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: What its owner calls it, to know later which one to revoke.
    label: str = Field(default="", max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")


class KeyBody(BaseModel):
    """A key, known by its id: nobody can use it by what is here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    key_id: str
    label: str
    created_at: str


class MadeKeyBody(KeyBody):
    """A key that was made just now, with the key itself, which is told only here."""

    key: str


class KeyListBody(BaseModel):
    """All keys of one user, oldest first."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    keys: tuple[KeyBody, ...]
