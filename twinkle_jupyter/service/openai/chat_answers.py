"""What a conversation is answered: whole or as it is written, what it says and what it calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import JsonValue

from twinkle_jupyter.runtime.handles import TopTokens
from twinkle_jupyter.service.openai.answers import Generation, Piece, WholeAnswer
from twinkle_jupyter.service.openai.call_reader import Call, CallReader, Part
from twinkle_jupyter.service.openai.tool_use import ToolUse
from twinkle_jupyter.service.parts import PromptTemplate
from twinkle_jupyter.wire.openai import ChatBody, FinishReason, Usage


@dataclass(frozen=True, slots=True)
class ChatAnswers:
    """All answers to one request."""

    body: ChatBody
    generation: Generation
    template: PromptTemplate
    tool_use: ToolUse
    completion_id: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(datetime.now(tz=UTC).timestamp()))

    async def whole(self) -> dict[str, JsonValue]:
        """Return the answers when they are complete."""
        answers = await self.generation.whole()
        choices = [self._choice(index, answer) for index, answer in enumerate(answers)]
        usage = self._usage(sum(len(answer.tokens) for answer in answers))
        return {**self._head("chat.completion"), "choices": choices, "usage": usage}

    async def chunks(self) -> AsyncGenerator[dict[str, JsonValue]]:
        """Return the answers as they are written."""
        num_tokens = 0
        readers = [self.tool_use.reader() for _ in range(self.generation.num_answers)]
        for index in range(self.generation.num_answers):
            yield self._chunk(index, {"role": "assistant", "content": ""})
        async with aclosing(self.generation.pieces()) as pieces:
            async for piece in pieces:
                num_tokens += len(piece.tokens)
                for chunk in self._piece(piece, readers[piece.index]):
                    yield chunk
        if self._includes_usage:
            head = self._head("chat.completion.chunk")
            yield {**head, "choices": [], "usage": self._usage(num_tokens)}

    def _choice(self, index: int, answer: WholeAnswer) -> JsonValue:
        reader = self.tool_use.reader()
        parts: list[Part] = [answer.text]
        if reader is not None:
            parts = [*reader.feed(answer.text), *reader.rest()]
        text = "".join(part for part in parts if isinstance(part, str))
        calls = [part for part in parts if isinstance(part, Call)]
        message: dict[str, JsonValue] = {"role": "assistant", "content": text, "refusal": None}
        if calls:
            message["content"] = text or None
            message["tool_calls"] = [{**_name_call(), "function": _function(one)} for one in calls]
        return {
            "index": index,
            "message": message,
            "logprobs": self._logprobs(answer.tokens, answer.logprobs, answer.top),
            "finish_reason": _reason(answer.finish_reason, reader),
        }

    @property
    def _includes_usage(self) -> bool:
        options = self.body.stream_options
        return options is not None and options.include_usage

    def _piece(self, piece: Piece, reader: CallReader | None) -> Iterator[dict[str, JsonValue]]:
        """Return what a piece tells; its log-probabilities at once, its text when it is certain."""
        parts: list[Part] = [piece.text]
        calls_before = 0
        if reader is not None:
            calls_before = reader.num_calls
            parts = reader.feed(piece.text)
            parts += reader.rest() if piece.finish_reason is not None else []
        text = "".join(part for part in parts if isinstance(part, str))
        if text or self.body.logprobs:
            logprobs = self._logprobs(piece.tokens, piece.logprobs, piece.top)
            yield self._chunk(piece.index, {"content": text}, logprobs=logprobs)
        calls = [part for part in parts if isinstance(part, Call)]
        for place, call in enumerate(calls, start=calls_before):
            begun: JsonValue = {**_name_call(), "index": place, "function": _function(call, "")}
            yield self._chunk(piece.index, {"tool_calls": [begun]})
            rest: JsonValue = {"index": place, "function": {"arguments": call.arguments}}
            yield self._chunk(piece.index, {"tool_calls": [rest]})
        if piece.finish_reason is not None:
            reason = _reason(piece.finish_reason, reader)
            yield self._chunk(piece.index, {}, finish_reason=reason)

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


def _name_call() -> dict[str, JsonValue]:
    return {"id": f"call_{uuid4().hex[:24]}", "type": "function"}


def _function(call: Call, arguments: str | None = None) -> JsonValue:
    return {
        "name": call.name,
        "arguments": call.arguments if arguments is None else arguments,
    }


def _reason(reason: FinishReason, reader: CallReader | None) -> FinishReason:
    """An answer that ended by itself and calls something waits for what comes of that."""
    has_called = reader is not None and reader.num_calls > 0
    return "tool_calls" if has_called and reason == "stop" else reason
