"""Answers as the OpenAI protocol wants them: text without what ended it, and of which tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from twinkle_jupyter.runtime.handles import PromptScores, SampleRequest, SamplingSettings, TopTokens
from twinkle_jupyter.service.sampling import SampleSource
from twinkle_jupyter.service.several_answers import MAX_TOKENS, nth_answer, seed_of
from twinkle_jupyter.service.stop_texts import StopTexts
from twinkle_jupyter.service.writing_places import WritingPlaces
from twinkle_jupyter.wire.openai import FinishReason, GenerationBody

#: Pieces of all answers to one request that wait to be sent.
_MAX_PIECES = 64


@dataclass(frozen=True, slots=True)
class Piece:
    """What came new of one answer."""

    #: Which of the request's answers.
    index: int
    text: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    top: tuple[TopTokens, ...] = ()
    prompt_scores: PromptScores | None = None
    #: Set on an answer's last piece.
    finish_reason: FinishReason | None = None


@dataclass(slots=True)
class WholeAnswer:
    """All pieces of one answer."""

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    top: list[TopTokens] = field(default_factory=list)
    prompt_scores: PromptScores | None = None
    finish_reason: FinishReason = "stop"

    def add(self, piece: Piece) -> None:
        """Take in the next piece."""
        self.text += piece.text
        self.tokens += piece.tokens
        self.logprobs += piece.logprobs
        self.top += piece.top
        self.prompt_scores = self.prompt_scores or piece.prompt_scores
        self.finish_reason = piece.finish_reason or self.finish_reason


@dataclass(slots=True)
class Generation:
    """One prompt and the answers that are wanted to it."""

    source: SampleSource
    request: SampleRequest
    num_answers: int
    stop_texts: tuple[str, ...]
    places: WritingPlaces
    #: Tokens of all answers so far.
    num_written: int = 0

    async def pieces(self) -> AsyncGenerator[Piece]:
        """Stream all answers at once; closing this ends them within a token."""
        queue: asyncio.Queue[Piece | Exception] = asyncio.Queue(_MAX_PIECES)
        writers = [
            asyncio.create_task(self._write(index, queue)) for index in range(self.num_answers)
        ]
        num_open = self.num_answers
        try:
            while num_open:
                piece = await queue.get()
                if isinstance(piece, Exception):
                    raise piece
                yield piece
                num_open -= piece.finish_reason is not None
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)

    async def whole(self) -> list[WholeAnswer]:
        """Return all answers when they are complete."""
        answers = [WholeAnswer() for _ in range(self.num_answers)]
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                answers[piece.index].add(piece)
        return answers

    async def _write(self, index: int, queue: asyncio.Queue[Piece | Exception]) -> None:
        try:
            async with (
                self.places.one(self.source.user),
                aclosing(self._cut(index, nth_answer(self.request, index))) as pieces,
            ):
                async for piece in pieces:
                    await queue.put(piece)
        except Exception as error:  # noqa: BLE001 - whoever reads the pieces raises it
            await queue.put(error)

    async def _cut(self, index: int, request: SampleRequest) -> AsyncGenerator[Piece]:
        stops = StopTexts(self.stop_texts)
        async with aclosing(self.source.compute.sampler.sample(request)) as deltas:
            async for delta in deltas:
                self.num_written += len(delta.tokens)
                text, reason = stops.feed(delta.text), delta.finish_reason
                is_over = stops.has_ended or reason is not None
                finish: FinishReason | None = None
                if is_over:
                    finish = "length" if reason == "length" and not stops.has_ended else "stop"
                    text += stops.rest()
                # The token that ends an answer is no part of its text.
                is_mark = reason == "stop"
                yield Piece(
                    index,
                    text,
                    () if is_mark else delta.tokens,
                    () if is_mark else delta.logprobs,
                    () if is_mark else delta.top,
                    delta.prompt_scores,
                    finish,
                )
                if is_over:
                    return


def read_settings(body: GenerationBody, max_tokens: int | None) -> SamplingSettings:
    """Return how tokens are chosen, with the protocol's defaults."""
    return SamplingSettings(
        max_tokens=max_tokens or MAX_TOKENS,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_k=max(0, body.top_k or 0),
        min_p=body.min_p or 0.0,
        repetition_penalty=body.repetition_penalty or 1.0,
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        logit_bias=tuple((body.logit_bias or {}).items()),
        seed=seed_of(body.seed),
    )


def read_stop_texts(body: GenerationBody) -> tuple[str, ...]:
    """Return the texts that end an answer."""
    stop = body.stop
    texts = [stop] if isinstance(stop, str) else stop or []
    return tuple(text for text in texts if text)
