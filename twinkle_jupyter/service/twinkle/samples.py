"""Answers to rows or conversations, whole or token by token, as clients read them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from twinkle_jupyter.runtime.handles import (
    PromptScores,
    SampleDelta,
    SampleRequest,
    SamplingSettings,
    TopTokens,
)
from twinkle_jupyter.service.sampling import SampleSource
from twinkle_jupyter.service.several_answers import MAX_TOKENS, nth_answer, seed_of
from twinkle_jupyter.service.stop_texts import StopTexts
from twinkle_jupyter.service.twinkle.counted import Counted
from twinkle_jupyter.service.twinkle.inputs import IGNORED, Feature, TokenRow, as_feature
from twinkle_jupyter.service.writing_places import WritingPlaces
from twinkle_jupyter.wire.twinkle_bodies import TokenChoiceBody


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """Answers to one prompt."""

    source: SampleSource
    prompt: TokenRow
    params: TokenChoiceBody
    num_samples: int
    #: What the client sent; its messages are told again with the answer.
    row: Feature = field(default_factory=dict)

    @property
    def request(self) -> SampleRequest:
        """What the sampler is asked."""
        params = self.params
        settings = SamplingSettings(
            # Scores of a prompt come with an answer; a token of it is the least there is.
            max_tokens=MAX_TOKENS if params.max_tokens is None else max(params.max_tokens, 1),
            temperature=params.temperature,
            top_p=params.top_p,
            top_k=max(params.top_k, 0),
            min_p=params.min_p,
            repetition_penalty=params.repetition_penalty,
            presence_penalty=params.presence_penalty,
            frequency_penalty=params.frequency_penalty,
            seed=seed_of(params.seed),
        )
        request = self.source.request(self.prompt.tokens, settings)
        more = frozenset(one for one in params.stop or () if isinstance(one, int))
        return replace(
            request,
            stop_tokens=request.stop_tokens | more,
            scores_prompt=params.prompt_logprobs is not None,
            num_top_prompt=params.prompt_logprobs or 0,
            num_top=params.logprobs or 0,
        )

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """Texts that end an answer and are no part of it; their tokens are."""
        stop = self.params.stop
        texts = [stop] if isinstance(stop, str) else stop or []
        return tuple(one for one in texts if isinstance(one, str) and one)


@dataclass(slots=True)
class _Answer:
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    top: tuple[TopTokens, ...] = ()
    text: str = ""
    has_stopped: bool = False
    prompt_scores: PromptScores | None = None


async def write(
    orders: Sequence[SampleOrder], counted: Counted, places: WritingPlaces
) -> list[JsonValue]:
    """Write all answers at once, and count them; return one entry an order."""

    async def write_one(order: SampleOrder, number: int) -> _Answer:
        async with places.one(order.source.user):
            return await _write(order, number, counted)

    async with asyncio.TaskGroup() as tasks:
        written = [
            [tasks.create_task(write_one(order, number)) for number in range(order.num_samples)]
            for order in orders
        ]
    return [
        _describe(order, [task.result() for task in answers])
        for order, answers in zip(orders, written, strict=True)
    ]


async def stream(order: SampleOrder, counted: Counted) -> AsyncGenerator[dict[str, JsonValue]]:
    """Yield what came new, token by token; closing this ends the answer within one token."""
    stops = StopTexts(order.stop_texts)
    async with aclosing(order.source.compute.sampler.sample(order.request)) as deltas:
        async for delta in deltas:
            counted.num_written += len(delta.tokens)
            text = stops.feed(delta.text)
            is_over = stops.has_ended or delta.finish_reason is not None
            yield {
                "delta": text + stops.rest() if is_over else text,
                "finish_reason": _reason(stops, delta) if is_over else None,
                "tokens": list(delta.tokens),
                "logprobs": list(delta.logprobs),
            }
            if is_over:
                return


async def _write(order: SampleOrder, number: int, counted: Counted) -> _Answer:
    request = nth_answer(order.request, number)
    if number:
        request = replace(request, scores_prompt=False, num_top_prompt=0)
    answer, stops = _Answer(), StopTexts(order.stop_texts)
    async with aclosing(order.source.compute.sampler.sample(request)) as deltas:
        async for delta in deltas:
            counted.num_written += len(delta.tokens)
            answer.tokens += delta.tokens
            answer.logprobs += delta.logprobs
            answer.top += delta.top
            answer.prompt_scores = answer.prompt_scores or delta.prompt_scores
            answer.text += stops.feed(delta.text)
            answer.has_stopped = _reason(stops, delta) == "stop"
            if stops.has_ended:
                break
    answer.text += stops.rest()
    return answer


def _reason(stops: StopTexts, delta: SampleDelta) -> str:
    return "stop" if stops.has_ended or delta.finish_reason == "stop" else "length"


def _describe(order: SampleOrder, answers: Sequence[_Answer]) -> JsonValue:
    scores = answers[0].prompt_scores
    wants_scores = order.params.prompt_logprobs is not None and scores is not None
    is_silent = order.params.max_tokens == 0
    sequences = [_sequence(order, _Answer() if is_silent else answer) for answer in answers]
    return {
        "sequences": sequences,
        "prompt_logprobs": [None, *scores.logprobs] if wants_scores and scores else None,
        "topk_prompt_logprobs": [None, *(_pairs(row) for row in scores.top)]
        if wants_scores and scores and scores.top
        else None,
    }


def _sequence(order: SampleOrder, answer: _Answer) -> JsonValue:
    logprobs: list[JsonValue] = []
    for place, (token, logprob) in enumerate(zip(answer.tokens, answer.logprobs, strict=True)):
        top = answer.top[place] if place < len(answer.top) else ()
        # The one that was chosen comes first.
        logprobs.append([[token, logprob], *_pairs([pair for pair in top if pair[0] != token])])
    return {
        "stop_reason": "stop" if answer.has_stopped else "length",
        "tokens": list(answer.tokens),
        "logprobs": logprobs,
        "decoded": answer.text,
        "new_input_feature": _grow(order, answer),
    }


def _grow(order: SampleOrder, answer: _Answer) -> JsonValue:
    """Return the row with the answer behind it, whose tokens are what is learned of it."""
    prompt = order.prompt
    # Labels stand at the position before their token; that of the first token of the answer is
    # the prompt's last one.
    labels = (*prompt.labels[:-1], *answer.tokens, IGNORED)
    grown = as_feature((*prompt.tokens, *answer.tokens), labels)
    messages = order.row.get("messages")
    if isinstance(messages, list):
        grown["messages"] = [*messages, {"role": "assistant", "content": answer.text}]
    return grown


def _pairs(top: Sequence[tuple[int, float]]) -> list[JsonValue]:
    return [[token, logprob] for token, logprob in top]
