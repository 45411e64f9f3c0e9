"""Errors in the envelope that clients of the OpenAI protocol read."""

from __future__ import annotations

from pydantic import JsonValue
from typing_extensions import override

from twinkle_jupyter.errors import NotFoundError, TwinkleError
from twinkle_jupyter.service.error_bodies import kind_of
from twinkle_jupyter.service.protocol_route import ProtocolRoute
from twinkle_jupyter.wire.openai import ErrorDetails, ErrorEnvelope


class OpenAiRoute(ProtocolRoute):
    """A route whose errors are `{"error": {message, type, param, code}}`."""

    @classmethod
    @override
    def status_of(cls, error: TwinkleError) -> int:
        status = super().status_of(error)
        return 400 if status == 422 else status

    @classmethod
    @override
    def error_body(cls, error: TwinkleError, field: str | None = None) -> dict[str, JsonValue]:
        kind = kind_of(cls.status_of(error))
        code = "model_not_found" if isinstance(error, NotFoundError) else error.code
        details = ErrorDetails(message=str(error), type=kind, param=field, code=code)
        return ErrorEnvelope(error=details).model_dump()
