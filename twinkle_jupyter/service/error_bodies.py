"""Errors on their way out: the one table of status codes, and one body for all of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twinkle_jupyter.config.mistakes import describe_mistakes
from twinkle_jupyter.errors import (
    ConfigDriftError,
    ConflictError,
    ForbiddenError,
    InvalidConfigError,
    InvalidDataError,
    MissingDependencyError,
    NotAllowedError,
    NotFoundError,
    OutOfMemoryError,
    QuotaExceededError,
    RunFailedError,
    ServiceUnavailableError,
    TwinkleError,
)
from twinkle_jupyter.ids import new_error_id
from twinkle_jupyter.wire.native import ErrorBody, ErrorDetail

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: Code of a request that is not shaped like one; its class is `InvalidConfigError`.
INVALID_REQUEST = "invalid_request"


class RequestTooLargeError(InvalidDataError):
    """The body is larger than the service takes."""


STATUSES: dict[type[TwinkleError], int] = {
    NotAllowedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    ConfigDriftError: 409,
    ConflictError: 409,
    RunFailedError: 409,
    RequestTooLargeError: 413,
    InvalidConfigError: 422,
    InvalidDataError: 422,
    OutOfMemoryError: 422,
    QuotaExceededError: 429,
    TwinkleError: 500,
    MissingDependencyError: 501,
    ServiceUnavailableError: 503,
}
#: Seconds after which trying again makes sense.
_RETRY_AFTER_S = {429: 5, 503: 2}
#: The longest that stock clients wait.
_LONG_S = 60
_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}

_LOGGER = logging.getLogger(__name__)


def error_body(error: TwinkleError) -> ErrorBody:
    """Return the body of an error."""
    return ErrorBody(error=ErrorDetail.model_validate(error.as_fields()))


def error_response(error: TwinkleError, *, for_all: bool = False) -> JSONResponse:
    """Return the whole answer of an error.

    Args:
        error: What went wrong.
        for_all: Write it in the forms of all protocols at once: without a key, and at a path where
            nothing is, nobody knows which one the client speaks.
    """
    if error.code == INVALID_REQUEST:
        status = 400
    else:
        status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    body = error_body(error).model_dump()
    if for_all:
        of_openai = {"type": kind_of(status), "param": None}
        body = {"error": {**body["error"], **of_openai}, "detail": str(error)}
    response = JSONResponse(body, status)
    if status in _RETRY_AFTER_S:
        response.headers.update(_when_to_retry(error, _RETRY_AFTER_S[status]))
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _when_to_retry(error: TwinkleError, otherwise_s: int) -> dict[str, str]:
    wait_s = error.retry_after_s if isinstance(error, QuotaExceededError) else None
    if wait_s is None:
        return {"Retry-After": str(otherwise_s)}
    if math.isinf(wait_s):
        # Stock clients would send it again for minutes, which does not mend it.
        return {"Retry-After": str(_LONG_S), "X-Should-Retry": "false"}
    return {"Retry-After": str(math.ceil(wait_s)), "Retry-After-Ms": str(math.ceil(wait_s * 1000))}


def kind_of(status: int) -> str:
    """Return the `type` that clients of the OpenAI protocol read."""
    return _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")


def log_unexpected(error: Exception) -> TwinkleError:
    """Log the traceback under a new id; return what may be told of it."""
    error_id = new_error_id()
    _LOGGER.error("%s", error_id, exc_info=error)
    return TwinkleError(f"Internal error, id {error_id}.", "`%twinkle log` has the details.")


def add_error_bodies(app: FastAPI) -> None:
    """Make every error of a route answer with the one body."""
    app.add_exception_handler(TwinkleError, _on_twinkle_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)


class UnexpectedErrors:
    """ASGI middleware, the outermost: what nobody expected becomes a 500 with an id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and answer in the place of what fails."""
        has_started = False

        async def watched_send(message: Message) -> None:
            nonlocal has_started
            has_started = has_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            _LOGGER.debug("A client left before its request was read.")
        except Exception as error:  # noqa: BLE001 - the outermost: logged with its traceback
            told = log_unexpected(error)
            if scope["type"] == "http" and not has_started:
                await error_response(told, for_all=True)(scope, receive, send)


async def _on_twinkle_error(_request: Request, error: Exception) -> JSONResponse:
    return error_response(cast("TwinkleError", error))


async def _on_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    mistakes = cast("RequestValidationError", error).errors()
    # The first part of the place is `query` or `path`, which people do not write.
    details = [{**mistake, "loc": tuple(mistake["loc"])[1:]} for mistake in mistakes]
    text = describe_mistakes(cast("Sequence[ErrorDetails]", details))
    return error_response(InvalidConfigError(text, "", INVALID_REQUEST))


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    status, path = cast("HTTPException", error).status_code, request.url.path
    if status == 404:
        return error_response(NotFoundError(f"There is nothing at {path}."), for_all=True)
    text = f"{request.method} {path} is not possible."
    response = error_response(InvalidConfigError(text, "", INVALID_REQUEST), for_all=True)
    response.status_code = status
    response.headers.update(cast("HTTPException", error).headers or {})
    return response
