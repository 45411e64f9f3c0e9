"""Errors as clients of the Tinker protocol read them: a status that they retry or not, one text."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError
from typing_extensions import override

from twinkle_jupyter.config.mistakes import describe_mistakes
from twinkle_jupyter.errors import ConflictError, InvalidDataError, TwinkleError
from twinkle_jupyter.service.error_bodies import error_response

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_Handler = Callable[[Request], Coroutine[None, None, Response]]


class TinkerRoute(APIRoute):
    """A route whose errors are `{"detail": sentence}`.

    A conflict is a 400: clients send a 409 again for minutes.
    """

    @override
    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except TwinkleError as error:
                return _response(error)
            except (ValidationError, RequestValidationError) as error:
                details = [
                    {**mistake, "loc": _without_place(mistake["loc"])} for mistake in error.errors()
                ]
                text = describe_mistakes(cast("Sequence[ErrorDetails]", details))
                return _response(InvalidDataError(text))

        return told


def _without_place(where: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return where[1:] if where[:1] in (("body",), ("query",), ("path",)) else where


def _response(error: TwinkleError) -> JSONResponse:
    ours = error_response(error)
    status = 400 if isinstance(error, ConflictError) else ours.status_code
    headers = {k: v for k, v in ours.headers.items() if k in ("retry-after", "www-authenticate")}
    return JSONResponse({"detail": str(error)}, status, headers)
