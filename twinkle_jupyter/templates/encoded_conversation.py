"""A whole conversation as tokens, with the loss weight of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncodedConversation:
    """What a template made of one conversation."""

    #: (T,) ids.
    token_ids: tuple[int, ...]
    #: (T,) 1.0 where the token is to be learned, else 0.0.
    weights: tuple[float, ...]
    #: What was tokenised.
    text: str
    #: Whether the sampler reads the same tokens before each learned answer.
    prompts_match: bool = True
    #: What it reads that is not in `text`, of the first answer for which this is so; else empty.
    unmatched: str = ""
