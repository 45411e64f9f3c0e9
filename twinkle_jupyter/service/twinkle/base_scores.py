"""Log-probabilities under the base model alone, which the reference of a preference loss is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.runtime.handles import SampleRequest, SamplerHandle, SamplingSettings
from twinkle_jupyter.service.twinkle.inputs import TokenRow

#: Rows that the sampler reads for one pass.
_AT_ONCE = 64


async def score_rows(
    sampler: SamplerHandle, user: str, rows: Sequence[TokenRow]
) -> list[tuple[float, ...]]:
    """Return (T,) log-probabilities of each row's labels, 0 where there is none.

    Raises:
        InvalidDataError: A label is not the token that follows.
    """
    places = asyncio.Semaphore(_AT_ONCE)

    async def score(number: int, row: TokenRow) -> tuple[float, ...]:
        async with places:
            return await _score(sampler, user, row, f"inputs[{number}]")

    try:
        async with asyncio.TaskGroup() as tasks:
            scored = [tasks.create_task(score(i, row)) for i, row in enumerate(rows)]
    except ExceptionGroup as errors:
        # The first ended the others; it is what the client is told.
        raise errors.exceptions[0] from None
    return [task.result() for task in scored]


async def _score(sampler: SamplerHandle, user: str, row: TokenRow, name: str) -> tuple[float, ...]:
    places, size = row.places, len(row.tokens)
    # What follows the last token is known by its label alone.
    tokens = (*row.tokens, row.labels[-1]) if places[-1:] == [size - 1] else row.tokens
    wrong = [place for place in places if row.labels[place] != tokens[place + 1]]
    if wrong:
        raise InvalidDataError(
            f"{name}.labels[{wrong[0]}] is not the token that follows, which disable_lora needs.",
            "labels[i] is input_ids[i + 1], or -100.",
        )
    scores = [0.0] * size
    if places:
        settings = SamplingSettings(max_tokens=1)
        request = SampleRequest(tokens, settings, frozenset(), user=user, scores_prompt=True)
        async with aclosing(sampler.sample(request)) as deltas:
            async for delta in deltas:
                if delta.prompt_scores is not None:
                    for place in places:
                        scores[place] = delta.prompt_scores.logprobs[place]
    return tuple(scores)
