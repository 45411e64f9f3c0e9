"""Errors as clients of the Tinker protocol read them."""

from __future__ import annotations

from pydantic import JsonValue
from typing_extensions import override

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.service.protocol_route import ProtocolRoute


class TinkerRoute(ProtocolRoute):
    """A route whose errors are `{"detail": sentence}`."""

    @classmethod
    @override
    def error_body(cls, error: TwinkleError, field: str | None) -> dict[str, JsonValue]:
        return {"detail": str(error)}
