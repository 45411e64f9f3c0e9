"""A stream of the OpenAI protocol: events of data, an end mark, and errors among them."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from pydantic import JsonValue

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.service.error_bodies import log_unexpected
from twinkle_jupyter.service.openai.route import OpenAiRoute
from twinkle_jupyter.service.sse import EventStream

_LOGGER = logging.getLogger(__name__)

_DONE = b"data: [DONE]\n\n"


def stream(chunks: AsyncGenerator[Mapping[str, JsonValue]]) -> EventStream:
    """Send chunks as they come; what fails after the beginning is told in the stream."""
    return EventStream(_write(chunks))


async def _write(chunks: AsyncGenerator[Mapping[str, JsonValue]]) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield _frame(chunk)
        yield _DONE
    except TwinkleError as error:
        _LOGGER.info("An answer was broken off: %s", error)
        yield _frame(OpenAiRoute.error_body(error))
    except Exception as error:  # noqa: BLE001 - logged with its traceback, told by its id
        yield _frame(OpenAiRoute.error_body(log_unexpected(error)))


def _frame(body: Mapping[str, JsonValue]) -> bytes:
    return f"data: {json.dumps(dict(body), separators=(',', ':'))}\n\n".encode()
