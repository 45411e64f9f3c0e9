"""`chat/completions`: the next turn of a conversation, whole or as it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.runtime.handles import TopTokens
from twinkle_jupyter.service.auth import Owner
from twinkle_jupyter.service.openai.answers import (
    Generation,
    Piece,
    read_settings,
    read_stop_texts,
)
from twinkle_jupyter.service.openai.counted import Counted
from twinkle_jupyter.service.openai.models import find_model
from twinkle_jupyter.service.openai.route import OpenAiRoute
from twinkle_jupyter.service.openai.stream import stream
from twinkle_jupyter.service.parts import Parts, PromptTemplate
from twinkle_jupyter.wire.openai import ChatBody, Message, Usage

router = APIRouter(tags=["openai"], route_class=OpenAiRoute)


@router.post("/chat/completions", response_model=None)
async def complete_chat(body: ChatBody, parts: Parts, owner: Owner) -> Response:
    """Answer a conversation."""
    _refuse_what_is_not_there(body)
    messages = [_read_message(index, message) for index, message in enumerate(body.messages)]
    settings = read_settings(body, body.max_completion_tokens or body.max_tokens)
    source = await find_model(parts, owner, body.model, body.adapter_uri)
    prompt = await asyncio.to_thread(source.compute.template.encode_prompt, messages)
    request = replace(source.request(prompt, settings), num_top=body.top_logprobs or 0)
    generation = Generation(source, request, body.n or 1, read_stop_texts(body))
    chat = _Chat(body, generation, source.compute.template)
    counted = Counted(await parts.quotas.admit_prompts(owner, [prompt]), [generation])
    if body.stream:
        return stream(counted.stream(chat.chunks()))
    return JSONResponse(await counted.whole(chat.whole()))


def _refuse_what_is_not_there(body: ChatBody) -> None:
    if body.tools:
        raise InvalidConfigError("tools are not there yet.", "Describe them in a message.")
    if body.response_format is not None and body.response_format.type != "text":
        raise InvalidConfigError(f"response_format {body.response_format.type!r} is not there.")
    if body.top_logprobs and not body.logprobs:
        raise InvalidConfigError("top_logprobs needs logprobs=true.")


def _read_message(index: int, message: Message) -> dict[str, str]:
    content = message.content
    if isinstance(content, list):
        other = next((part.type for part in content if part.type != "text"), None)
        if other is not None:
            raise InvalidDataError(
                f"messages[{index}] has a part of type {other!r}; models here read text."
            )
        content = "".join(part.text for part in content)
    # The newer name of what templates know as the system's turn.
    role = "system" if message.role == "developer" else message.role
    return {"role": role, "content": content or ""}


@dataclass(frozen=True, slots=True)
class _Chat:
    body: ChatBody
    generation: Generation
    template: PromptTemplate
    completion_id: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(datetime.now(tz=UTC).timestamp()))

    async def whole(self) -> dict[str, JsonValue]:
        """Return the answer when it is complete."""
        answers = await self.generation.whole()
        choices: list[JsonValue] = [
            {
                "index": index,
                "message": {"role": "assistant", "content": answer.text, "refusal": None},
                "logprobs": self._logprobs(answer.tokens, answer.logprobs, answer.top),
                "finish_reason": answer.finish_reason,
            }
            for index, answer in enumerate(answers)
        ]
        usage = self._usage(sum(len(answer.tokens) for answer in answers))
        return {**self._head("chat.completion"), "choices": choices, "usage": usage}

    async def chunks(self) -> AsyncGenerator[dict[str, JsonValue]]:
        """Return the answer as it is written."""
        num_tokens = 0
        for index in range(self.generation.num_answers):
            yield self._chunk(index, {"role": "assistant", "content": ""})
        async with aclosing(self.generation.pieces()) as pieces:
            async for piece in pieces:
                num_tokens += len(piece.tokens)
                if piece.text or self.body.logprobs:
                    yield self._piece(piece)
                if piece.finish_reason is not None:
                    yield self._chunk(piece.index, {}, finish_reason=piece.finish_reason)
        if self._includes_usage:
            head = self._head("chat.completion.chunk")
            yield {**head, "choices": [], "usage": self._usage(num_tokens)}

    @property
    def _includes_usage(self) -> bool:
        options = self.body.stream_options
        return options is not None and options.include_usage

    def _piece(self, piece: Piece) -> dict[str, JsonValue]:
        logprobs = self._logprobs(piece.tokens, piece.logprobs, piece.top)
        return self._chunk(piece.index, {"content": piece.text}, logprobs=logprobs)

    def _chunk(
        self,
        index: int,
        delta: Mapping[str, JsonValue],
        *,
        logprobs: JsonValue = None,
        finish_reason: str | None = None,
    ) -> dict[str, JsonValue]:
        choice: JsonValue = {
            "index": index,
            "delta": dict(delta),
            "logprobs": logprobs,
            "finish_reason": finish_reason,
        }
        body: dict[str, JsonValue] = {**self._head("chat.completion.chunk"), "choices": [choice]}
        return {**body, "usage": None} if self._includes_usage else body

    def _head(self, kind: str) -> dict[str, JsonValue]:
        return {
            "id": self.completion_id,
            "object": kind,
            "created": self.created,
            "model": self.body.model,
        }

    def _usage(self, num_tokens: int) -> JsonValue:
        usage: JsonValue = Usage.of(len(self.generation.request.prompt), num_tokens).model_dump()
        return usage

    def _logprobs(
        self, tokens: Sequence[int], logprobs: Sequence[float], top: Sequence[TopTokens]
    ) -> JsonValue:
        """Return what is known of each token; the one that ended the answer included."""
        if not self.body.logprobs:
            return None
        rows = top or [()] * len(tokens)
        content: list[JsonValue] = [
            {
                **self._token(token, logprob),
                "top_logprobs": [self._token(*cell) for cell in row],
            }
            for token, logprob, row in zip(tokens, logprobs, rows, strict=True)
        ]
        return {"content": content, "refusal": None}

    def _token(self, token: int, logprob: float) -> dict[str, JsonValue]:
        text = self.template.token_text(token)
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
