"""Answers of a model as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from twinkle_jupyter.client.errors_from_wire import error_of_body
from twinkle_jupyter.client.sse import FrameParser
from twinkle_jupyter.wire.native import ErrorBody, FinishReason, SampleDeltaBody, SampleDoneBody


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """What came new of an answer: text, or with the last part how it ended."""

    text: str
    #: Version of the adapter that answers; None for the base model.
    version: int | None
    #: Set on the last part only, whose text is empty; the counts are set with it.
    finish_reason: FinishReason | None = None
    num_prompt_tokens: int = 0
    num_tokens: int = 0


def read_answer(answer: httpx.Response) -> Iterator[AnswerPart]:
    """Yield the parts of a streamed answer.

    Raises:
        TwinkleError: What the service says went wrong after the start.
        httpx.RemoteProtocolError: The stream ended before its last event.
    """
    for part in map(FrameParser().feed, answer.iter_lines()):
        if part is None:
            continue
        if part.event == "error":
            raise error_of_body(ErrorBody.model_validate_json(part.data))
        if part.event == "done":
            done = SampleDoneBody.model_validate_json(part.data)
            yield AnswerPart(text="", **done.model_dump())
            return
        delta = SampleDeltaBody.model_validate_json(part.data)
        yield AnswerPart(delta.text, delta.version)
    raise httpx.RemoteProtocolError("The answer ended before its last event.")
