"""What a sampler takes and gives, whichever engine is behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.scheduling.request import AdapterSpec

if TYPE_CHECKING:
    from numpy import ndarray

FinishReason = Literal["stop", "length", "cancelled"]
#: Tokens of one position with their log-probabilities; the likeliest come best first.
TopTokens: TypeAlias = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class AdapterSnapshot:
    """An adapter's weights at one version: complete, or not there at all."""

    adapter_id: AdapterId
    version: AdapterVersion
    spec: AdapterSpec
    #: (P,) fp32: all A and B matrices one after another, in `engine.adapter_bank`'s layout.
    weights: ndarray


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """How the next token is chosen; temperature 0 is greedy. In what order: `token_choice`."""

    max_tokens: int = 256
    temperature: float = 0.0
    #: Smallest set of tokens whose probability reaches this; 1 keeps all.
    top_p: float = 1.0
    #: Number of likeliest tokens to choose from; 0 keeps all.
    top_k: int = 0
    #: Tokens stay that are at least this part as likely as the likeliest.
    min_p: float = 0.0
    #: Above 1 makes every token of prompt and answer less likely; 1 does nothing.
    repetition_penalty: float = 1.0
    #: Subtracted from the logit of a token that the answer has, once, and for each time.
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    #: Added to the logits of these tokens.
    logit_bias: tuple[tuple[int, float], ...] = ()
    #: The same seed gives the same tokens.
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """One prompt to go on from."""

    #: (T,) rendered prompt.
    prompt: tuple[int, ...]
    settings: SamplingSettings
    #: Ids that end the answer; not part of its text.
    stop_tokens: frozenset[int]
    #: None samples from the base model.
    adapter_id: AdapterId | None = None
    #: None is the newest version that the sampler has.
    version: AdapterVersion | None = None
    #: Checkpoint folder to load from when the sampler does not hold the adapter; empty for none.
    checkpoint: str = ""
    #: Whose request it is: users take turns.
    user: str = ""
    #: Score the prompt's own tokens, too.
    scores_prompt: bool = False
    #: Likeliest tokens to name at each position of the prompt, and of the answer.
    num_top_prompt: int = 0
    num_top: int = 0
    #: (T - 1, K) tokens to score in the place of each token of the prompt after the first; -1 for
    #: none. Empty for no such tokens at all.
    prompt_targets: tuple[tuple[int, ...], ...] = ()
    #: K tokens to draw in the place of each token of the prompt after the first, each by itself, at
    #: the temperature alone.
    num_prompt_draws: int = 0


@dataclass(frozen=True, slots=True)
class PromptScores:
    """What the model makes of a prompt of T tokens."""

    #: (T - 1,) natural-log probability of each token after the first, given those before it.
    logprobs: tuple[float, ...]
    #: (T - 1,) the likeliest tokens of each of these positions; empty if none were asked for.
    top: tuple[TopTokens, ...] = ()
    #: (T - 1, K) of the request's `prompt_targets`; not a number for -1.
    targets: tuple[tuple[float, ...], ...] = ()
    #: (T - 1, K) tokens drawn in these places; empty if none were asked for.
    draws: tuple[TopTokens, ...] = ()


@dataclass(frozen=True, slots=True)
class SampleDelta:
    """What came new: one token, or the end."""

    #: Whole characters only: a character of several tokens comes with its last one.
    text: str
    tokens: tuple[int, ...]
    #: Natural-log probability of each token under the untempered model.
    logprobs: tuple[float, ...]
    #: The adapter version that answers; None for the base model.
    version: AdapterVersion | None
    #: Set on the last delta only.
    finish_reason: FinishReason | None = None
    #: The likeliest tokens in the place of each token; empty if none were asked for.
    top: tuple[TopTokens, ...] = ()
    #: On the first delta, if it was asked for.
    prompt_scores: PromptScores | None = None
