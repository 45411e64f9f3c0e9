"""Bodies of requests: bounded in size, and parsed on a thread, since a data set takes a while."""

from __future__ import annotations

import asyncio
from typing import TypeVar, cast

from fastapi import Request
from pydantic import BaseModel, JsonValue, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twinkle_jupyter.config.mistakes import describe_mistakes
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.error_bodies import INVALID_REQUEST, RequestTooLargeError
from twinkle_jupyter.service.json_bodies import read_json

Body = TypeVar("Body", bound=BaseModel)


async def read_body(request: Request, model: type[Body]) -> Body:
    """Read and validate a JSON body.

    Raises:
        InvalidConfigError: It is not JSON, or not shaped like `model`; names every mistake.
        RequestTooLargeError: It is larger than the service takes.
    """
    content = await read_json(await request.body())
    try:
        return await asyncio.to_thread(model.model_validate, content)
    except ValidationError as error:
        text = describe_mistakes(error.errors(include_url=False), model=model)
        raise InvalidConfigError(text, "", INVALID_REQUEST) from error


def body_schema(model: type[BaseModel]) -> dict[str, JsonValue]:
    """Describe a body for OpenAPI, which does not see what `read_body` reads."""
    schema: dict[str, JsonValue] = model.model_json_schema()
    parts = cast("dict[str, JsonValue]", schema.pop("$defs", {}))
    content: JsonValue = {"application/json": {"schema": _inline(schema, parts)}}
    return {"requestBody": {"required": True, "content": content}}


def _inline(schema: JsonValue, parts: dict[str, JsonValue]) -> JsonValue:
    """Put parts where they are named: a reference would mean another place in OpenAPI."""
    if isinstance(schema, list):
        return [_inline(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    name = schema.get("$ref")
    if isinstance(name, str):
        return _inline(parts[name.rpartition("/")[2]], parts)
    return {key: _inline(value, parts) for key, value in schema.items()}


class BodyLimit:
    """ASGI middleware: refuses to read more than `max_bytes` of a body, announced or not."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with a `receive` that counts."""
        num_bytes = 0

        async def counted_receive() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > self._max_bytes:
                raise RequestTooLargeError(
                    f"The request is larger than the {self._max_bytes / 2**20:,.0f} MiB that this "
                    "service takes.",
                    "Send fewer or shorter records.",
                )
            return message

        await self._app(scope, counted_receive, send)
