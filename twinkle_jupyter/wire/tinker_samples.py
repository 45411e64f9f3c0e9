"""Samples of the Tinker protocol, as protobuf or JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from google.protobuf.message import Message
from pydantic import JsonValue

from twinkle_jupyter.wire.tinker_schema import new_message
from twinkle_jupyter.wire.tinker_tensors import FLOAT32, INT64

_STOP, _LENGTH = 0, 1
#: What stands where there are fewer than k tokens.
_EMPTY = (0, -99999.0)

Top = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class PromptPart:
    """What a client wants to know of its prompt."""

    num_tokens: int
    wants_logprobs: bool
    num_top: int
    #: Only the last tokens; None for all.
    last_n: int | None
    #: Further tokens to score in each place.
    num_targets: int = 0
    #: Tokens to draw in each place.
    num_draws: int = 0

    @property
    def first(self) -> int:
        """The place of the first token that is asked for."""
        return 0 if self.last_n is None else max(0, self.num_tokens - self.last_n)


class Scores(Protocol):
    """Of the tokens of a prompt after the first."""

    @property
    def logprobs(self) -> tuple[float, ...]:
        """One a token."""
        ...

    @property
    def top(self) -> tuple[Top, ...]:
        """One row a token, or none."""
        ...

    @property
    def targets(self) -> tuple[tuple[float, ...], ...]:
        """One row a token, or none."""
        ...

    @property
    def draws(self) -> tuple[Top, ...]:
        """One row a token, or none."""
        ...


@dataclass(slots=True)
class SampledTokens:
    """One answer, the token that ended it included."""

    tokens: tuple[int, ...] = ()
    #: Natural logarithms, at temperature 1 and before any cut.
    logprobs: tuple[float, ...] = ()
    #: The likeliest tokens in the place of each; empty if none were asked for.
    top: tuple[Top, ...] = ()
    #: Whether it ended by itself, and not by its length.
    has_stopped: bool = False
    #: Of the prompt; of a request's first answer only.
    prompt_scores: Scores | None = None


def encode_protobuf(samples: Sequence[SampledTokens], prompt: PromptPart) -> bytes:
    """Write a `SampleResponse`."""
    message = new_message("SampleResponse")
    for sample in samples:
        one = message.sequences.add()
        one.stop_reason = _STOP if sample.has_stopped else _LENGTH
        one.tokens = np.asarray(sample.tokens, "<i4").tobytes()
        one.logprobs = np.asarray(sample.logprobs, "<f4").tobytes()
        if sample.top:
            _write_top(one.topk_sampled_logprobs, sample.top, len(sample.top[0]))
    if prompt.wants_logprobs:
        message.prompt_logprobs = np.asarray(_prompt_logprobs(samples, prompt), "<f4").tobytes()
    if prompt.num_top:
        _write_top(message.topk_prompt_logprobs, _prompt_top(samples, prompt), prompt.num_top)
    if prompt.num_targets:
        found = np.asarray(_prompt_targets(samples), "<f4")
        message.target_prompt_logprobs.dense = found.tobytes()
        message.target_prompt_logprobs.dtype = FLOAT32
        message.target_prompt_logprobs.shape.extend([prompt.num_tokens - 1, prompt.num_targets])
    if prompt.num_draws:
        tokens, logprobs = _prompt_draws(samples)
        drawn = message.prompt_alt_tokens
        drawn.tokens.dense, drawn.tokens.dtype = np.asarray(tokens, "<i8").tobytes(), INT64
        drawn.logprobs.dense, drawn.logprobs.dtype = np.asarray(logprobs, "<f4").tobytes(), FLOAT32
        for tensor in (drawn.tokens, drawn.logprobs):
            tensor.shape.extend([prompt.num_tokens - 1, prompt.num_draws])
    return cast("bytes", message.SerializeToString())


def encode_json(samples: Sequence[SampledTokens], prompt: PromptPart) -> dict[str, JsonValue]:
    """Return the same for clients that read no protobuf."""
    sequences: list[JsonValue] = [
        {
            "stop_reason": "stop" if sample.has_stopped else "length",
            "tokens": list(sample.tokens),
            "logprobs": list(sample.logprobs),
        }
        for sample in samples
    ]
    content: dict[str, JsonValue] = {"type": "sample", "sequences": sequences}
    if prompt.wants_logprobs:
        logprobs = _prompt_logprobs(samples, prompt)
        content["prompt_logprobs"] = [None if math.isnan(one) else one for one in logprobs]
    if prompt.num_top:
        rows = _prompt_top(samples, prompt)
        content["topk_prompt_logprobs"] = [[list(cell) for cell in row] or None for row in rows]
    if prompt.num_targets:
        flat = [value for row in _prompt_targets(samples) for value in row]
        content["target_prompt_logprobs"] = {
            "data": [None if math.isnan(value) else value for value in flat],
            "dtype": "float32",
            "shape": [prompt.num_tokens - 1, prompt.num_targets],
        }
    if prompt.num_draws:
        tokens, logprobs = _prompt_draws(samples)
        shape: list[JsonValue] = [prompt.num_tokens - 1, prompt.num_draws]
        content["prompt_alt_tokens"] = {
            "tokens": {"data": [*tokens], "dtype": "int64", "shape": shape},
            "logprobs": {"data": [*logprobs], "dtype": "float32", "shape": shape},
        }
    return content


def _prompt_logprobs(samples: Sequence[SampledTokens], prompt: PromptPart) -> list[float]:
    """Return one a token of the prompt; not a number for the first, and for those left out."""
    scores = samples[0].prompt_scores
    known = [] if scores is None else scores.logprobs
    return [
        value if place >= prompt.first else math.nan
        for place, value in enumerate((math.nan, *known))
    ]


def _prompt_top(samples: Sequence[SampledTokens], prompt: PromptPart) -> list[Top]:
    scores = samples[0].prompt_scores
    known = [] if scores is None else scores.top
    return [row if place >= prompt.first else () for place, row in enumerate(((), *known))]


def _prompt_targets(samples: Sequence[SampledTokens]) -> tuple[tuple[float, ...], ...]:
    scores = samples[0].prompt_scores
    return () if scores is None else scores.targets


def _prompt_draws(samples: Sequence[SampledTokens]) -> tuple[list[int], list[float]]:
    scores = samples[0].prompt_scores
    cells = [] if scores is None else [cell for row in scores.draws for cell in row]
    return [token for token, _ in cells], [logprob for _, logprob in cells]


def _write_top(message: Message, rows: Sequence[Top], width: int) -> None:
    full = [[*row, *[_EMPTY] * (width - len(row))] for row in rows]
    message.token_ids = np.asarray([[cell[0] for cell in row] for row in full], "<i4").tobytes()
    message.logprobs = np.asarray([[cell[1] for cell in row] for row in full], "<f4").tobytes()
    message.k, message.length = width, len(full)
