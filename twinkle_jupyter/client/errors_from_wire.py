"""Answers of the service back into the exceptions they were, and silence into a sentence."""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.errors import (
    InvalidConfigError,
    NotAllowedError,
    ServiceUnavailableError,
    TwinkleError,
    error_from_fields,
)
from twinkle_jupyter.wire.native import ErrorBody

_ELSEWHERE = "`TWINKLE_URL` names it; without that variable the one of this machine is used."
_OF_HUB = "This JupyterHub runs it: its admin can say more. Your runs are safe there."
_START = "Start it with `%twinkle start`; `%twinkle log` shows why it ended."


def error_of_body(body: ErrorBody) -> TwinkleError:
    """Rebuild the exception; an unknown code of a newer service stays a `TwinkleError`."""
    detail = body.error
    if detail.code == "invalid_request":
        return InvalidConfigError(detail.message, detail.hint, detail.code)
    return error_from_fields(detail.model_dump())


def raise_for_answer(answer: httpx.Response, connection: Connection) -> None:
    """Raise what an answer of status 400 and above says. Its body must have been read."""
    if answer.status_code < 300:
        return
    if answer.status_code == 401 and connection.is_of_hub:
        raise NotAllowedError(
            "The training service of this JupyterHub does not take this server's token.",
            "Stop your server and start it again from the Hub; if that does not help, ask an admin"
            " whether the role `server` has the service's scope.",
        )
    if answer.status_code == 401:
        raise NotAllowedError(
            f"The training service at {connection.address} does not take this API key.",
            "Set TWINKLE_API_KEY to a key of that service, or unset TWINKLE_URL to use your own.",
        )
    try:
        body = ErrorBody.model_validate_json(answer.content)
    except ValidationError:
        raise ServiceUnavailableError(
            f"What answers at {connection.address} (status {answer.status_code}) is no training "
            "service.",
            _OF_HUB if connection.is_of_hub else _START,
        ) from None
    raise error_of_body(body)


def unreachable(
    error: httpx.TransportError, connection: Connection, timeout_s: float
) -> ServiceUnavailableError:
    """Say that the service did not answer, and what that means for the runs."""
    what = f"The training service at {connection.address}"
    if isinstance(error, httpx.TimeoutException):
        text = f"{what} did not answer within {timeout_s:.0f} s."
    elif isinstance(error, httpx.ConnectError):
        text = f"{what} is not running."
    else:
        text = f"{what} broke off its answer."
    if connection.is_of_hub:
        return ServiceUnavailableError(text, _OF_HUB)
    if not connection.pid:
        return ServiceUnavailableError(text, _ELSEWHERE)
    return ServiceUnavailableError(f"{text} Your runs are safe on disk.", _START)


def no_service() -> ServiceUnavailableError:
    """Say that nothing tells where a service is."""
    return ServiceUnavailableError("The training service is not running.", _START)
