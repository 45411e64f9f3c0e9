"""One request under way: what it has read, what it has written, what it may still write."""

from __future__ import annotations

from typing import Generic

import torch
from torch import Tensor

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.sampler.decoder import Logits, Reading, Row
from twinkle_jupyter.sampler.detokenizer import Detokenizer
from twinkle_jupyter.sampler.interface import (
    FinishReason,
    PromptScores,
    SampleDelta,
    SampleRequest,
    TopTokens,
)
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter
from twinkle_jupyter.sampler.token_choice import PromptDraws, TokenChooser, find_top


class Answer(Generic[Row]):
    """One request.

    Args:
        number: Tells it from others.
        request: Checked before.
        adapter: The version that answers; None is the base model.
        detokenizer: For this answer alone.
        max_tokens: As many as are wanted, or as the base model can still read.
    """

    def __init__(
        self,
        number: int,
        request: SampleRequest,
        adapter: HeldAdapter | None,
        detokenizer: Detokenizer,
        max_tokens: int,
    ) -> None:
        self.number = number
        self.request = request
        self.adapter = adapter
        self._detokenizer = detokenizer
        self._max_tokens = max_tokens
        self._chooser = TokenChooser(request.settings, request.prompt)
        #: Prompt, and what was written.
        self.tokens = list(request.prompt)
        #: Where its keys and values are; None while it waits.
        self.row: Row | None = None
        #: How many of its tokens were read.
        self.num_read = 0
        self._scores: list[float] = []
        self._top_scores: list[TopTokens] = []
        self._target_scores: list[tuple[float, ...]] = []
        settings = request.settings
        self._draws = PromptDraws(request.num_prompt_draws, settings.temperature, settings.seed)
        self._drawn: list[TopTokens] = []

    @property
    def num_unread(self) -> int:
        """Tokens to read before the next one can be chosen."""
        return len(self.tokens) - self.num_read

    @property
    def scores_prompt(self) -> bool:
        """Whether every token of the prompt has to be read with logits."""
        request = self.request
        is_counted = request.num_top_prompt > 0 or request.num_prompt_draws > 0
        return request.scores_prompt or is_counted or bool(request.prompt_targets)

    def read(self, count: int) -> Reading[Row]:
        """Return what a decoder has to do for the next `count` tokens."""
        assert self.row is not None, "it is in the batch"  # noqa: S101
        tokens = self.tokens[self.num_read : self.num_read + count]
        return Reading(self.row, tokens, self._places(count))

    def take(self, count: int, logits: Logits) -> SampleDelta | None:
        """Go on by `count` tokens that were read; choose the next one if they were the last.

        Args:
            count: Tokens.
            logits: Of the places that `read` asked for.

        Raises:
            InvalidDataError: The model gives no numbers.
        """
        is_last = count == self.num_unread
        self.num_read += count
        num_scored = len(logits.values) - is_last
        if num_scored:
            self._score(logits.part(0, num_scored))
        return self._write(logits.part(num_scored, num_scored + 1)) if is_last else None

    def _places(self, count: int) -> list[int]:
        """Return after which of the next `count` tokens logits are needed."""
        places = []
        if self.scores_prompt:
            first = max(self.num_read, len(self._scores))
            end = min(len(self.request.prompt) - 1, self.num_read + count)
            places = [place - self.num_read for place in range(first, end)]
        if count == self.num_unread:
            places.append(count - 1)
        return places

    def _write(self, found: Logits) -> SampleDelta:
        request = self.request
        # Of the model as it is, whatever the token is chosen by.
        logits, total = found.values[0], found.totals[0]
        if not torch.isfinite(total):
            raise InvalidDataError(
                "The weights that answer are no finite numbers any more.",
                "Go back to an earlier checkpoint; a lower learning rate usually helps.",
            )
        token = self._chooser.choose(logits, int(found.likeliest))
        logprob = float(logits[token] - total)
        top = find_top((logits - total)[None], request.num_top) if request.num_top else []
        is_first = len(self.tokens) == len(request.prompt)
        self.tokens.append(token)
        is_stop = token in request.stop_tokens
        finish_reason: FinishReason | None = None
        if is_stop:
            finish_reason = "stop"
        elif len(self.tokens) - len(request.prompt) >= self._max_tokens:
            finish_reason = "length"
        return SampleDelta(
            "" if is_stop else self._detokenizer.append(token),
            (token,),
            (logprob,),
            self.adapter.version if self.adapter is not None else None,
            finish_reason,
            tuple(top),
            self._prompt_scores() if is_first else None,
        )

    def _score(self, logits: Logits) -> None:
        """Score the prompt's tokens after those that were scored before."""
        first = len(self._scores) + 1
        following = torch.tensor(self.request.prompt[first : first + len(logits.values)])
        scores = logits.values - logits.totals[:, None]
        targets = self.request.prompt_targets[first - 1 : first - 1 + len(scores)]
        self._scores += scores.gather(1, following[:, None])[:, 0].tolist()
        if targets:
            self._target_scores += _score_targets(scores, torch.tensor(targets))
        self._top_scores += find_top(scores, self.request.num_top_prompt)
        self._drawn += self._draws.draw(scores)

    def _prompt_scores(self) -> PromptScores | None:
        if not self.scores_prompt:
            return None
        return PromptScores(
            tuple(self._scores),
            tuple(self._top_scores),
            tuple(self._target_scores),
            tuple(self._drawn),
        )


def _score_targets(scores: Tensor, targets: Tensor) -> list[tuple[float, ...]]:
    """Return what (N, V) scores say of (N, K) tokens; not a number where there is no token."""
    is_there = (targets >= 0) & (targets < scores.shape[1])
    found = scores.gather(1, targets.where(is_there, 0))
    return [tuple(row) for row in found.where(is_there, torch.nan).tolist()]
