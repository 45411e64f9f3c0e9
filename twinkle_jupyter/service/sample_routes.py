"""`POST /samples`: an answer as it is written."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.service.asker import CurrentAsker
from twinkle_jupyter.service.error_bodies import error_body, log_unexpected
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.request_bodies import body_schema, read_body
from twinkle_jupyter.service.sampling import OpenSample, open_sample
from twinkle_jupyter.service.sse import EventStream, frame
from twinkle_jupyter.wire.native import SampleBody, SampleDeltaBody, SampleDoneBody

_LOGGER = logging.getLogger(__name__)

router = APIRouter(tags=["samples"])


@router.post(
    "/samples", response_class=EventStream, status_code=200, openapi_extra=body_schema(SampleBody)
)
async def sample(request: Request, parts: Parts, asker: CurrentAsker) -> EventStream:
    """Stream `delta` events, then `done`; a failure after the start is an `error` event."""
    body = await read_body(request, SampleBody)
    return EventStream(_frames(await open_sample(parts, asker, body)))


async def _frames(opened: OpenSample) -> AsyncGenerator[bytes]:
    num_tokens = 0
    try:
        async with aclosing(opened.deltas()) as deltas:
            async for delta in deltas:
                num_tokens += len(delta.tokens)
                if delta.text:
                    part = SampleDeltaBody(text=delta.text, version=delta.version)
                    yield frame("delta", part.model_dump())
                if delta.finish_reason is not None:
                    done = SampleDoneBody(
                        finish_reason=delta.finish_reason,
                        num_prompt_tokens=len(opened.request.prompt),
                        num_tokens=num_tokens,
                        version=delta.version,
                    )
                    yield frame("done", done.model_dump())
                    return
    except TwinkleError as error:
        _LOGGER.info("An answer was broken off: %s", error)
        yield frame("error", error_body(error).model_dump())
    except Exception as error:  # noqa: BLE001 - logged with its traceback, told by its id
        yield frame("error", error_body(log_unexpected(error)).model_dump())
