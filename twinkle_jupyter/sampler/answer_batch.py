"""Continuous batching: answers join and leave the batch at every token.

A pass reads the newest token of each answer, and parts of the prompts of those that have just
joined. Where memory ends, the youngest answer makes room: it waits, and reads again what it had
read; no answer is lost. Where rows end, the user with the most of them does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Generic, NamedTuple, TypeAlias

from twinkle_jupyter.engine.op_failures import is_out_of_memory
from twinkle_jupyter.errors import OutOfMemoryError, TwinkleError
from twinkle_jupyter.fair_queue import FairQueue
from twinkle_jupyter.sampler.answer import Answer
from twinkle_jupyter.sampler.decoder import Decoder, Logits, Row
from twinkle_jupyter.sampler.interface import SampleDelta
from twinkle_jupyter.sampler.prefix_cache import BLOCK_TOKENS

#: Tokens of prompts that one pass reads at most: beside answers that wait for their next token, and
#: where there are none.
_PROMPT_TOKENS_BESIDE = 128
_PROMPT_TOKENS_ALONE = 512
#: Positions of one pass whose logits are wanted, where prompts are scored.
_SCORED_BYTES = 64 * 2**20
#: So many tokens that somebody else is about to read are waited for.
_SHARED_TOKENS = 2 * BLOCK_TOKENS


#: What came new of the answer of that number; an error is its end.
Told: TypeAlias = tuple[int, SampleDelta | TwinkleError]


class Pass(NamedTuple):
    """What one pass did."""

    told: list[Told]
    #: Answers that have read something, whether or not there is something to tell.
    num_read: int


class AnswerBatch(Generic[Row]):
    """All answers that are being written, and those that wait for their turn.

    Args:
        decoder: Of the base model.
        vocabulary: Tokens that the base model can write, V.
        max_rows: Answers of one pass.
    """

    def __init__(self, decoder: Decoder[Row], vocabulary: int, max_rows: int) -> None:
        self._decoder = decoder
        self._most_rows = self._max_rows = max_rows
        self._max_scored = max(1, _SCORED_BYTES // (4 * vocabulary))
        #: In the order in which they joined.
        self._active: dict[int, Answer[Row]] = {}
        self._waiting: FairQueue[Answer[Row]] = FairQueue()
        self._queued: dict[int, Answer[Row]] = {}

    def __len__(self) -> int:
        return len(self._active) + len(self._queued)

    def add(self, answer: Answer[Row]) -> None:
        """Let the answer wait for its turn, which may be the next pass."""
        self._queued[answer.number] = answer
        self._waiting.push(answer.request.user, answer)

    def remove(self, number: int) -> None:
        """End an answer, wherever it is; if there is none, nothing changes."""
        queued = self._queued.pop(number, None)
        if queued is not None:
            self._waiting.remove(queued.request.user, queued)
        active = self._active.pop(number, None)
        if active is not None:
            self._close(active)

    def advance(self, held_back: Collection[int]) -> Pass:
        """Run one pass.

        Args:
            held_back: Numbers of answers whose readers have enough for now.
        """
        refused = self._admit()
        parts = self._make_room(self._choose_parts(held_back))
        if not parts:
            return Pass(refused, len(refused))
        try:
            logits = self._decoder.read([answer.read(count) for answer, count in parts])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return Pass([*refused, *self._shrink()], len(parts))
        told = refused
        for (answer, count), found in zip(parts, logits, strict=True):
            told += self._take(answer, count, found)
        return Pass(told, len(parts))

    def _take(self, answer: Answer[Row], count: int, logits: Logits) -> list[Told]:
        """Let one answer go on; return what it has to tell, if anything."""
        was_prompt = answer.num_read < len(answer.request.prompt)
        try:
            delta = answer.take(count, logits)
        except TwinkleError as error:
            self.remove(answer.number)
            return [(answer.number, error)]
        if delta is None:
            return []
        is_over = delta.finish_reason is not None
        if was_prompt or is_over:
            self._remember(answer)
        if is_over:
            self.remove(answer.number)
        return [(answer.number, delta)]

    def _shrink(self) -> list[Told]:
        """Memory has run out in a pass: go on with half as many rows, or give up the only one.

        There may be as many as before once the batch has been empty.
        """
        answers = list(self._active.values())
        self._max_rows = max(1, len(answers) // 2)
        if len(answers) > 1:
            for answer in reversed(answers):
                self._preempt(answer, remembers=False)
            return []
        self.remove(answers[0].number)
        return [(answers[0].number, _no_memory(answers[0]))]

    def _admit(self) -> list[Told]:
        """Let in who has room; return those who would have none if they were alone."""
        refused: list[Told] = []
        if not self._active and not self._queued:
            self._max_rows = self._most_rows
        while True:
            counts = Counter(answer.request.user for answer in self._active.values())
            ready = [answer for answer in self._waiting.firsts() if self._may_join(answer)]
            answer = min(ready, key=lambda one: counts[one.request.user], default=None)
            if answer is None or not self._has_row(answer.request.user, counts):
                return refused
            self._waiting.take(answer.request.user)
            del self._queued[answer.number]
            if self._open(answer):
                self._active[answer.number] = answer
            elif self._active:
                self._queue_first(answer)
                return refused
            else:
                refused.append((answer.number, _no_memory(answer)))

    def _open(self, answer: Answer[Row]) -> bool:
        """Give the answer a row with room for what it has; False when there is no memory."""
        known = () if answer.scores_prompt else answer.tokens
        try:
            answer.row, answer.num_read = self._decoder.open_row(answer.adapter, known)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        if self._decoder.grow(answer.row, len(answer.tokens) + 1):
            return True
        self._close(answer)
        return False

    def _may_join(self, answer: Answer[Row]) -> bool:
        """Whether nobody is reading what this one could share a moment later."""
        return answer.scores_prompt or not any(
            other.adapter is answer.adapter
            and other.num_unread > 1
            and _count_common(other.tokens, answer.tokens) >= other.num_read + _SHARED_TOKENS
            for other in self._active.values()
        )

    def _has_row(self, user: str, counts: Counter[str]) -> bool:
        """Whether one more answer may join; who has two more than this user gives one up for it."""
        if len(self._active) < self._max_rows:
            return True
        richest, most = counts.most_common(1)[0]
        if most < counts[user] + 2:
            return False
        theirs = [answer for answer in self._active.values() if answer.request.user == richest]
        self._preempt(theirs[-1])
        return True

    def _choose_parts(self, held_back: Collection[int]) -> list[tuple[Answer[Row], int]]:
        """Return who reads how many tokens in this pass, the oldest first."""
        ready = [answer for number, answer in self._active.items() if number not in held_back]
        is_alone = all(answer.num_unread > 1 for answer in ready)
        budget = _PROMPT_TOKENS_ALONE if is_alone else _PROMPT_TOKENS_BESIDE
        scored = self._max_scored
        parts = []
        for answer in ready:
            if answer.num_unread == 1:
                parts.append((answer, 1))
                continue
            count = min(answer.num_unread, budget, scored if answer.scores_prompt else budget)
            if count:
                parts.append((answer, count))
                budget -= count
                scored -= count if answer.scores_prompt else 0
        return parts

    def _make_room(self, parts: list[tuple[Answer[Row], int]]) -> list[tuple[Answer[Row], int]]:
        """Return those of the parts whose rows have room now; the youngest answers pay for it."""
        granted = []
        for answer, count in parts:
            while (row := answer.row) is not None:
                if self._decoder.grow(row, answer.num_read + count):
                    granted.append((answer, count))
                    break
                self._preempt(next(reversed(self._active.values())))
        return [(answer, count) for answer, count in granted if answer.row is not None]

    def _preempt(self, answer: Answer[Row], *, remembers: bool = True) -> None:
        """Let an answer wait again, in front; what it has written stays."""
        if remembers:
            self._remember(answer)
        del self._active[answer.number]
        self._close(answer)
        self._queue_first(answer)

    def _queue_first(self, answer: Answer[Row]) -> None:
        self._queued[answer.number] = answer
        self._waiting.push_first(answer.request.user, answer)

    def _remember(self, answer: Answer[Row]) -> None:
        if answer.row is not None:
            tokens = answer.tokens[: answer.num_read]
            self._decoder.remember(answer.row, tokens)

    def _close(self, answer: Answer[Row]) -> None:
        if answer.row is not None:
            self._decoder.close_row(answer.row)
        answer.row, answer.num_read = None, 0


def _no_memory(answer: Answer[Row]) -> OutOfMemoryError:
    length = len(answer.tokens)
    return OutOfMemoryError(f"There is no memory to read {length} tokens for an answer.")


def _count_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two prompts have in common at their beginning."""
    different = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(different, min(len(one), len(other)))
