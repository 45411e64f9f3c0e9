"""Errors in the envelope that clients of the OpenAI protocol read."""

from __future__ import annotations

from pydantic import JsonValue
from typing_extensions import override

from twinkle_jupyter.errors import NotFoundError, TwinkleError
from twinkle_jupyter.service.protocol_route import ProtocolRoute
from twinkle_jupyter.wire.openai import ErrorDetails, ErrorEnvelope

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


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
        status = cls.status_of(error)
        kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
        code = "model_not_found" if isinstance(error, NotFoundError) else error.code
        details = ErrorDetails(message=str(error), type=kind, param=field, code=code)
        return ErrorEnvelope(error=details).model_dump()
