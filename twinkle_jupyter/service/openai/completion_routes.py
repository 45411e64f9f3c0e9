"""`completions`: how texts go on, whole or as it is written; and what a model makes of a text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.runtime.handles import TopTokens
from twinkle_jupyter.service.asker import CurrentAsker
from twinkle_jupyter.service.leaving import unless_left
from twinkle_jupyter.service.openai.answers import (
    Generation,
    WholeAnswer,
    read_settings,
    read_stop_texts,
)
from twinkle_jupyter.service.openai.counted import Counted
from twinkle_jupyter.service.openai.models import find_model
from twinkle_jupyter.service.openai.route import OpenAiRoute
from twinkle_jupyter.service.openai.stream import stream
from twinkle_jupyter.service.parts import Parts, PromptTemplate
from twinkle_jupyter.service.sampling import SampleSource
from twinkle_jupyter.service.writing_places import check_count
from twinkle_jupyter.wire.openai import CompletionBody, Usage

#: Tokens where no length is asked for, and prompts of one request at most.
_DEFAULT_TOKENS, _MAX_PROMPTS = 16, 256

router = APIRouter(tags=["openai"], route_class=OpenAiRoute)


@router.post("/completions", response_model=None)
async def complete(
    body: CompletionBody, request: Request, parts: Parts, asker: CurrentAsker
) -> Response:
    """Go on with one text or several."""
    if body.suffix:
        raise InvalidConfigError("suffix is not there.", "Leave it out.")
    if body.stream and body.echo:
        raise InvalidConfigError("echo is not there together with stream.")
    max_tokens = _DEFAULT_TOKENS if body.max_tokens is None else body.max_tokens
    if not max_tokens and not body.echo:
        raise InvalidConfigError("max_tokens=0 needs echo=true: there is nothing to answer.")
    settings = read_settings(body, max(1, max_tokens))
    source = await find_model(parts, asker, body.model, body.adapter_uri)
    prompts = await asyncio.to_thread(_read_prompts, body, source.compute.template)
    check_count(len(prompts), body.n or 1)
    stop_texts = read_stop_texts(body)
    scores = body.echo and body.logprobs is not None
    generations = [
        Generation(
            source,
            replace(
                source.request(prompt, settings),
                num_top=body.logprobs or 0,
                scores_prompt=scores,
                num_top_prompt=(body.logprobs or 0) if scores else 0,
            ),
            body.n or 1,
            stop_texts,
            parts.places,
        )
        for prompt in prompts
    ]
    completion = _Completion(body, generations, source, max_tokens)
    counted = Counted(await parts.quotas.admit_prompts(asker.owner, prompts), generations)
    if body.stream:
        return stream(counted.stream(completion.chunks()))
    return JSONResponse(await unless_left(request, counted.whole(completion.whole())))


def _read_prompts(body: CompletionBody, template: PromptTemplate) -> list[tuple[int, ...]]:
    """Return the tokens of each prompt, however they were given."""
    given: Sequence[str | int | list[int]]
    given = [body.prompt] if isinstance(body.prompt, str) else body.prompt
    if not given or (len(given) > _MAX_PROMPTS and not isinstance(given[0], int)):
        raise InvalidDataError(f"prompt has {len(given)} texts; 1 to {_MAX_PROMPTS} may be.")
    prompts: list[tuple[int, ...]] = []
    single: list[int] = []
    for one in given:
        match one:
            case str():
                prompts.append(template.encode_text(one))
            case int():
                single.append(one)
            case _:
                prompts.append(tuple(one))
    return [tuple(single)] if single else prompts


@dataclass(frozen=True, slots=True)
class _Completion:
    body: CompletionBody
    generations: Sequence[Generation]
    source: SampleSource
    max_tokens: int
    completion_id: str = field(default_factory=lambda: f"cmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(datetime.now(tz=UTC).timestamp()))

    async def whole(self) -> dict[str, JsonValue]:
        """Return all answers, those to the first prompt first."""
        try:
            async with asyncio.TaskGroup() as tasks:
                written = [tasks.create_task(one.whole()) for one in self.generations]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors  # the others were ended over it
        pairs = [
            (generation.request.prompt, answer)
            for generation, answers in zip(self.generations, written, strict=True)
            for answer in answers.result()
        ]
        choices: list[JsonValue] = [
            self._choice(index, prompt, self._shorten(answer))
            for index, (prompt, answer) in enumerate(pairs)
        ]
        num_tokens = sum(len(answer.tokens) for _, answer in pairs) if self.max_tokens else 0
        return {**self._head(), "choices": choices, "usage": self._usage(num_tokens)}

    async def chunks(self) -> AsyncGenerator[dict[str, JsonValue]]:
        """Return the answers as they are written, one prompt after another."""
        options, num_tokens = self.body.stream_options, 0
        for place, generation in enumerate(self.generations):
            first = place * generation.num_answers
            async with aclosing(generation.pieces()) as pieces:
                async for piece in pieces:
                    num_tokens += len(piece.tokens)
                    answer = WholeAnswer()
                    answer.add(piece)
                    choice = self._choice(first + piece.index, (), answer)
                    choice["finish_reason"] = piece.finish_reason
                    yield {**self._head(), "choices": [choice]}
        if options is not None and options.include_usage:
            yield {**self._head(), "choices": [], "usage": self._usage(num_tokens)}

    def _shorten(self, answer: WholeAnswer) -> WholeAnswer:
        """Leave out the token that was needed to score a prompt alone."""
        if self.max_tokens:
            return answer
        return WholeAnswer(prompt_scores=answer.prompt_scores, finish_reason="length")

    def _choice(
        self, index: int, prompt: tuple[int, ...], answer: WholeAnswer
    ) -> dict[str, JsonValue]:
        echoed = prompt if self.body.echo else ()
        template = self.source.compute.template
        text = "".join(map(template.token_text, echoed)) + answer.text
        return {
            "index": index,
            "text": text,
            "logprobs": self._logprobs(echoed, answer),
            "finish_reason": answer.finish_reason,
        }

    def _logprobs(self, echoed: tuple[int, ...], answer: WholeAnswer) -> JsonValue:
        if self.body.logprobs is None:
            return None
        scores = answer.prompt_scores
        known = (None, *scores.logprobs) if echoed and scores is not None else ()
        tops: list[TopTokens | None] = [None, *scores.top] if echoed and scores is not None else []
        tops += answer.top
        texts = [self.source.compute.template.token_text(token) for token in echoed]
        texts += [self.source.compute.template.token_text(token) for token in answer.tokens]
        offsets = [0, *accumulate(map(len, texts))][: len(texts)]
        return {
            "tokens": list(texts),
            "token_logprobs": [*known, *answer.logprobs],
            "top_logprobs": [self._top(row) for row in tops] if self.body.logprobs else None,
            "text_offset": list(offsets),
        }

    def _top(self, row: TopTokens | None) -> JsonValue:
        if row is None:
            return None
        return {self.source.compute.template.token_text(token): value for token, value in row}

    def _head(self) -> dict[str, JsonValue]:
        return {
            "id": self.completion_id,
            "object": "text_completion",
            "created": self.created,
            "model": self.body.model,
        }

    def _usage(self, num_tokens: int) -> JsonValue:
        num_prompt = sum(len(one.request.prompt) for one in self.generations)
        usage: JsonValue = Usage.of(num_prompt, num_tokens).model_dump()
        return usage
