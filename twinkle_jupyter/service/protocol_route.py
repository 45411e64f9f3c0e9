"""Routes of a protocol that has its own form of errors: the one table of statuses, another body."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import JsonValue, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from typing_extensions import override

from twinkle_jupyter.config.mistakes import describe_mistakes
from twinkle_jupyter.errors import ConflictError, InvalidConfigError, TwinkleError
from twinkle_jupyter.service.error_bodies import INVALID_REQUEST, error_response, log_unexpected
from twinkle_jupyter.service.json_bodies import JsonRequest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_Handler = Callable[[Request], Coroutine[None, None, Response]]
#: Where a mistake may be, which people do not write.
_PLACES = ("body", "query", "path", "header")
_HEADERS = ("retry-after", "retry-after-ms", "x-should-retry", "www-authenticate")


class ProtocolRoute(APIRoute):
    """Whatever a handler raises is answered with `error_body`."""

    @classmethod
    def error_body(cls, error: TwinkleError, field: str | None) -> dict[str, JsonValue]:
        """Return the body of an error; `field` is the first that was wrong, if that is known."""
        raise NotImplementedError

    @classmethod
    def status_of(cls, error: TwinkleError) -> int:
        """Return the status; clients send a conflict again for minutes, which does not mend it."""
        return 400 if isinstance(error, ConflictError) else error_response(error).status_code

    @override
    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(JsonRequest(request.scope, request.receive))
            except TwinkleError as error:
                return self._respond(error, None)
            except (ValidationError, RequestValidationError) as error:
                if _is_unread(error.errors()):
                    return self._respond(_unread_type(request), None)
                details = [{**one, "loc": _in_the_body(one["loc"])} for one in error.errors()]
                text = describe_mistakes(cast("Sequence[ErrorDetails]", details))
                field = next((str(part) for part in details[0]["loc"]), None)
                return self._respond(InvalidConfigError(text), field)
            except (ClientDisconnect, HTTPException) as error:
                # FastAPI makes its own of whatever comes up while it reads a body.
                if isinstance(error.__cause__, TwinkleError):
                    return self._respond(error.__cause__, None)
                raise
            except Exception as error:  # noqa: BLE001 - logged with its traceback, told by its id
                return self._respond(log_unexpected(error), None)

        return told

    def _respond(self, error: TwinkleError, field: str | None) -> JSONResponse:
        ours = error_response(error).headers
        headers = {name: ours[name] for name in _HEADERS if name in ours}
        return JSONResponse(self.error_body(error, field), self.status_of(error), headers)


def _in_the_body(where: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return where[1:] if where[:1] and where[0] in _PLACES else where


def _is_unread(mistakes: Sequence[object]) -> bool:
    """Whether FastAPI left a body as bytes, for what it is said to be."""
    return any(isinstance(cast("ErrorDetails", one)["input"], bytes) for one in mistakes)


def _unread_type(request: Request) -> InvalidConfigError:
    given = request.headers.get("content-type", "")
    text = f"Content-Type {given!r} is not read here." if given else "The body has no Content-Type."
    return InvalidConfigError(text, "Send application/json.", INVALID_REQUEST)
