"""What a client that asks after a request is answered: a result, or how it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from twinkle_jupyter.errors import (
    ConflictError,
    InvalidConfigError,
    InvalidDataError,
    NotFoundError,
    OutOfMemoryError,
    QuotaExceededError,
    TwinkleError,
)
from twinkle_jupyter.store.interface import JSON

JSON_TYPE = "application/json"
#: Mistakes of whoever sent the request; everything else is the server's.
_OF_THE_USER = (
    *(InvalidConfigError, InvalidDataError, NotFoundError, ConflictError),
    *(QuotaExceededError, OutOfMemoryError),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A body, and of which type."""

    content: bytes
    media_type: str = JSON_TYPE

    @classmethod
    def of(cls, content: Mapping[str, JSON]) -> Reply:
        """Return a JSON reply."""
        return cls(json.dumps(dict(content)).encode())

    @classmethod
    def failure(cls, error: TwinkleError) -> Reply:
        """Return how a request failed, which is an answer like any other."""
        category = "user" if isinstance(error, _OF_THE_USER) else "server"
        return cls.of({"error": str(error), "category": category})
