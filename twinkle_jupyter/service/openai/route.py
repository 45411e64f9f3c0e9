"""Errors in the envelope that clients of the OpenAI protocol read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from typing_extensions import override

from twinkle_jupyter.config.mistakes import describe_mistakes
from twinkle_jupyter.errors import ConflictError, InvalidConfigError, NotFoundError, TwinkleError
from twinkle_jupyter.service.error_bodies import error_response
from twinkle_jupyter.wire.openai import ErrorDetails, ErrorEnvelope

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails as Mistake

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class OpenAiRoute(APIRoute):
    """A route whose errors are `{"error": {message, type, param, code}}`."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[None, None, Response]]:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except TwinkleError as error:
                return _response(error, None)
            except RequestValidationError as error:
                details = [{**one, "loc": one["loc"][1:]} for one in error.errors()]
                text = describe_mistakes(cast("Sequence[Mistake]", details))
                first = details[0]["loc"][0] if details[0]["loc"] else None
                return _response(InvalidConfigError(text), str(first) if first else None)

        return told


def envelope(error: TwinkleError, param: str | None = None) -> ErrorEnvelope:
    """Return the body of an error."""
    status = _status(error)
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    code = "model_not_found" if isinstance(error, NotFoundError) else error.code
    return ErrorEnvelope(error=ErrorDetails(message=str(error), type=kind, param=param, code=code))


def _status(error: TwinkleError) -> int:
    status = error_response(error).status_code
    # Clients send a conflict again, and know no 422.
    return 400 if isinstance(error, ConflictError) or status == 422 else status


def _response(error: TwinkleError, param: str | None) -> JSONResponse:
    ours = error_response(error)
    headers = {k: v for k, v in ours.headers.items() if k == "retry-after"}
    return JSONResponse(envelope(error, param).model_dump(), _status(error), headers)
