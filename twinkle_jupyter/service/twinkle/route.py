"""Errors as clients of the Twinkle protocol read them, and the headers that they send."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from pydantic import JsonValue
from typing_extensions import override

from twinkle_jupyter.errors import InvalidConfigError, TwinkleError
from twinkle_jupyter.service.error_bodies import error_response
from twinkle_jupyter.service.protocol_route import ProtocolRoute


class TwinkleRoute(ProtocolRoute):
    """A route whose errors are `{"detail": sentence}`."""

    @classmethod
    @override
    def error_body(cls, error: TwinkleError, field: str | None) -> dict[str, JsonValue]:
        return {"detail": str(error)}

    @classmethod
    @override
    def status_of(cls, error: TwinkleError) -> int:
        # Its client sends nothing again by itself: a conflict may be called one.
        return error_response(error).status_code


#: A route's parameter: the session that the client has begun; empty for none.
SessionHeader = Annotated[str, Header(alias="X-Twinkle-Session-Id", max_length=200)]


def need_session(session_id: str) -> str:
    """Return the session; raises InvalidConfigError where the client has begun none."""
    if not session_id:
        raise InvalidConfigError(
            "The request has no X-Twinkle-Session-Id.", "Call init_twinkle_client(...) first."
        )
    return session_id
