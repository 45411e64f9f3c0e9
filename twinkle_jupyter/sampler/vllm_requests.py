"""What vLLM is asked, and what its answers are in our words. Loads no vLLM by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from twinkle_jupyter.ids import AdapterVersion
from twinkle_jupyter.sampler.interface import (
    FinishReason,
    PromptScores,
    SampleDelta,
    SampleRequest,
    TopTokens,
)

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.outputs import RequestOutput


class ScoredToken(Protocol):
    """What vLLM says of a token in some place."""

    @property
    def logprob(self) -> float:
        """Natural-log probability under the untempered model."""
        ...

    @property
    def rank(self) -> int | None:
        """1 for the likeliest."""
        ...


#: By token, in one place.
Scores = Mapping[int, ScoredToken]


def read_params(request: SampleRequest, max_tokens: int) -> SamplingParams:
    """Return the same wish in vLLM's words; text is our own detokenizer's affair."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    settings = request.settings
    scores_prompt = request.scores_prompt or request.num_top_prompt > 0
    return SamplingParams(
        max_tokens=max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k or -1,
        min_p=settings.min_p,
        repetition_penalty=settings.repetition_penalty,
        presence_penalty=settings.presence_penalty,
        frequency_penalty=settings.frequency_penalty,
        logit_bias=dict(settings.logit_bias) or None,
        seed=settings.seed % 2**32,
        stop_token_ids=sorted(request.stop_tokens),
        # Our templates say what ends an answer.
        ignore_eos=True,
        detokenize=False,
        logprobs=request.num_top,
        prompt_logprobs=request.num_top_prompt if scores_prompt else None,
        output_kind=RequestOutputKind.DELTA,
    )


def read_output(
    output: RequestOutput, request: SampleRequest, version: AdapterVersion | None
) -> Iterator[SampleDelta]:
    """Return one delta a token of what came new; their text is not filled in."""
    [new] = output.outputs
    scores = new.logprobs or []
    prompt_scores = None
    if output.prompt_logprobs is not None:
        prompt_scores = read_prompt_scores(
            request.prompt, output.prompt_logprobs, request.num_top_prompt
        )
    reason = read_finish_reason(new.finish_reason)
    tokens = list(new.token_ids)
    for place, token in enumerate(tokens):
        is_last = place == len(tokens) - 1
        top = (read_top(scores[place], request.num_top),) if request.num_top else ()
        logprob = scores[place][token].logprob
        yield SampleDelta(
            "", (token,), (logprob,), version, reason if is_last else None, top, prompt_scores
        )
        prompt_scores = None
    if not tokens and reason is not None:
        yield SampleDelta("", (), (), version, reason)


def read_finish_reason(reason: str | None) -> FinishReason | None:
    """Return why an answer ended; None while it goes on."""
    match reason:
        case None | "stop" | "length":
            return reason
        case _:
            return "cancelled"


def read_top(scores: Scores, count: int) -> TopTokens:
    """Return the `count` likeliest tokens, best first."""
    best = sorted(scores.items(), key=lambda item: -item[1].logprob)[:count]
    return tuple((token, score.logprob) for token, score in best)


def read_prompt_scores(
    prompt: Sequence[int], scores: Sequence[Scores | None], num_top: int
) -> PromptScores:
    """Return the scores of each token after the first."""
    known = [(token, one) for token, one in zip(prompt, scores, strict=True) if one is not None]
    logprobs = tuple(one[token].logprob for token, one in known)
    top = tuple(read_top(one, num_top) for _, one in known) if num_top else ()
    return PromptScores(logprobs, top)
