"""Rows of samples that clients asked for: who writes each, and then the answer for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from twinkle_jupyter.store.client_rows import ClientRow

SampleState = Literal["writing", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class SampleRow(ClientRow):
    """One request's answers; once they are there, or will not be, nothing changes any more."""

    name: str
    #: The service process that writes it.
    by: str
    state: SampleState = "writing"
    #: The answers as the protocol has them, in either of its forms.
    as_json: str = ""
    #: Base64.
    as_protobuf: str = ""
    #: Fields of the error of one that failed.
    error: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def key(owner: str, name: str) -> str:
        """Where the row is kept."""
        return f"sample/{quote(owner, safe='')}/{name}"
