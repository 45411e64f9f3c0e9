"""From what a client asks for to what a sampler is asked, and one answer of it."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import (
    SampleRequest,
    SamplerHandle,
    SamplingSettings,
)
from twinkle_jupyter.service.parts import ServedModel
from twinkle_jupyter.service.several_answers import MAX_TOKENS, nth_answer, seed_of
from twinkle_jupyter.service.stop_texts import StopTexts
from twinkle_jupyter.store.client_rows import SamplingSessionRow
from twinkle_jupyter.wire.tinker_bodies import SampleBody
from twinkle_jupyter.wire.tinker_samples import PromptPart, SampledTokens
from twinkle_jupyter.wire.tinker_tensors import MAX_TARGETS, read_json_tensor


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """Answers to one prompt."""

    request: SampleRequest
    num_samples: int
    #: Texts that end an answer; they stay part of it.
    stop_texts: tuple[str, ...]
    prompt: PromptPart


def read_order(
    body: SampleBody, row: SamplingSessionRow, model: ServedModel, owner: str
) -> SampleOrder:
    """Return what is to be sampled.

    Raises:
        InvalidDataError: The prompt holds something else than text, or what was asked for is not
            there.
    """
    tokens: list[int] = []
    for chunk in body.prompt.chunks:
        if chunk.type != "encoded_text":
            raise InvalidDataError(f"prompt has a chunk of {chunk.type}; models here read text.")
        tokens += chunk.tokens
    targets = _read_targets(body, len(tokens))
    params = body.sampling_params
    stop_tokens, stop_texts = _read_stop(params.stop, model.template.stop_token_ids)
    settings = SamplingSettings(
        max_tokens=params.max_tokens or MAX_TOKENS,
        temperature=params.temperature,
        top_p=params.top_p,
        top_k=max(0, params.top_k),
        seed=seed_of(params.seed),
    )
    request = SampleRequest(
        tuple(tokens),
        settings,
        stop_tokens,
        # Weights in a folder never change: the folder is their name.
        adapter_id=AdapterId(row.folder) if row.folder else None,
        checkpoint=row.folder,
        user=owner,
        scores_prompt=bool(body.prompt_logprobs),
        num_top_prompt=body.topk_prompt_logprobs,
        num_top=body.topk_sample_logprobs,
        prompt_targets=targets,
        num_prompt_draws=body.prompt_alt_tokens_k,
    )
    prompt = PromptPart(
        len(tokens),
        bool(body.prompt_logprobs),
        body.topk_prompt_logprobs,
        body.prompt_logprobs_last_n,
        len(targets[0]) if targets else 0,
        body.prompt_alt_tokens_k,
    )
    return SampleOrder(request, body.num_samples, stop_texts, prompt)


def _read_targets(body: SampleBody, num_tokens: int) -> tuple[tuple[int, ...], ...]:
    """Return the tokens to score in each place of the prompt after the first."""
    tensor, name = body.target_prompt_logprobs, "target_prompt_logprobs"
    if tensor is None:
        return ()
    targets = read_json_tensor(tensor, name, fill=-1)
    rows = num_tokens - 1
    if targets.ndim != 2 or len(targets) != rows or not 0 < targets.shape[1] <= MAX_TARGETS:
        raise InvalidDataError(
            f"{name} has shape {list(targets.shape)}; it is [{rows}, 1 to {MAX_TARGETS}] for a"
            f" prompt of {num_tokens} tokens."
        )
    return tuple(tuple(int(token) for token in row) for row in targets)


def _read_stop(
    stop: str | list[str] | list[int] | None, default: frozenset[int]
) -> tuple[frozenset[int], tuple[str, ...]]:
    """Return the tokens and the texts that end an answer."""
    if stop is None:
        return default, ()
    if isinstance(stop, str):
        return frozenset(), (stop,) if stop else ()
    texts = tuple(one for one in stop if isinstance(one, str) and one)
    return frozenset(one for one in stop if isinstance(one, int)), texts


async def write_sample(sampler: SamplerHandle, order: SampleOrder, number: int) -> SampledTokens:
    """Return the answer of that number; the first one brings the prompt's scores."""
    request = nth_answer(order.request, number)
    if number:
        request = replace(
            request, scores_prompt=False, num_top_prompt=0, prompt_targets=(), num_prompt_draws=0
        )
    sample, stops = SampledTokens(), StopTexts(order.stop_texts)
    async with aclosing(sampler.sample(request)) as deltas:
        async for delta in deltas:
            sample.tokens += delta.tokens
            sample.logprobs += delta.logprobs
            sample.top += delta.top
            sample.prompt_scores = sample.prompt_scores or delta.prompt_scores
            stops.feed(delta.text)
            sample.has_stopped = stops.has_ended or delta.finish_reason == "stop"
            if stops.has_ended:
                break
    return sample
