"""The ops of one adapter: in order, each once, and the newest answers for who asks again."""

from __future__ import annotations

from dataclasses import dataclass, field

from twinkle_jupyter.errors import (
    CANCELLED,
    ConflictError,
    InvalidDataError,
    NotFoundError,
    QuotaExceededError,
    TwinkleError,
)
from twinkle_jupyter.scheduling.events import AdapterAdded, Answer, Outcome
from twinkle_jupyter.scheduling.request import Op


@dataclass(slots=True)
class _Waiting:
    op: Op
    #: Empty once everybody has gone; whoever sends the op again before its turn revives it.
    tickets: list[int] = field(default_factory=list)


class OpQueue:
    """Reorders and deduplicates on the sequence id.

    Args:
        adapter: Whose ops these are.
        max_queued: An op this far ahead of the next one to run is refused. The next one itself
            never is, so that a full queue cannot wait for what it refuses.
        max_answers: Outcomes that are kept.
    """

    def __init__(self, adapter: AdapterAdded, max_queued: int, max_answers: int) -> None:
        self.adapter_id = adapter.adapter_id
        self.user = adapter.user
        self.priority = adapter.priority
        self._max_queued = max_queued
        self._max_answers = max_answers
        self._next_id = adapter.next_id
        self._waiting: dict[int, _Waiting] = {}
        self._is_running = False
        #: Rows of the op in turn that are computed, where its plans take parts of it.
        self._num_rows_done = 0
        self._answers: dict[int, Outcome] = dict(adapter.answers)

    @property
    def next_id(self) -> int:
        """Sequence id of the next op to be answered."""
        return self._next_id

    @property
    def free_id(self) -> int:
        """The first sequence id that no op was sent under."""
        free = self._next_id
        while free in self._waiting:
            free += 1
        return free

    def as_added(self) -> AdapterAdded:
        """Return what a queue of another life goes on from."""
        answers = dict(self._answers)
        return AdapterAdded(self.adapter_id, self.user, self.priority, self._next_id, answers)

    @property
    def unanswered(self) -> list[Op]:
        """Ops that wait, or are under way."""
        return [waiting.op for waiting in self._waiting.values()]

    @property
    def is_settled(self) -> bool:
        """Whether no op is running, nor its turn come."""
        return not self._is_running and self._next_id not in self._waiting

    @property
    def ready(self) -> Op | None:
        """The op whose turn it is; None when it has not arrived or is running."""
        waiting = None if self._is_running else self._waiting.get(self._next_id)
        return waiting.op if waiting is not None else None

    @property
    def num_rows_done(self) -> int:
        """Rows of the ready op that are computed already."""
        return self._num_rows_done

    def arrive(self, ticket: int, op: Op) -> Answer | None:
        """Take the op in; return an answer when there is one already."""
        kept = self._answers.get(op.sequence_id)
        if kept is not None:
            return Answer((ticket,), kept)
        waiting = self._waiting.get(op.sequence_id)
        refusal = self._refuse(op, waiting)
        if refusal is not None:
            return Answer((ticket,), refusal)
        self._waiting.setdefault(op.sequence_id, _Waiting(op)).tickets.append(ticket)
        return None

    def join(self, ticket: int, sequence_id: int) -> Answer | None:
        """Wait for an op that was taken in before; return an answer when there is one already."""
        kept = self._answers.get(sequence_id)
        if kept is not None:
            return Answer((ticket,), kept)
        waiting = self._waiting.get(sequence_id)
        if waiting is None:
            return Answer((ticket,), self._unknown(sequence_id))
        waiting.tickets.append(ticket)
        return None

    def is_awaited(self, sequence_id: int) -> bool:
        """Whether somebody waits for an op that is not answered yet."""
        waiting = self._waiting.get(sequence_id)
        return waiting is not None and bool(waiting.tickets)

    def has_answered(self, sequence_id: int) -> bool:
        """Whether the op's outcome is known and kept."""
        return sequence_id in self._answers

    def start(self) -> None:
        """The ready op is in a plan now."""
        assert self.ready is not None, "only an op whose turn it is starts"  # noqa: S101
        self._is_running = True

    def abandon(self, ticket: int, sequence_id: int) -> bool:
        """Nobody waits under this ticket any more; return whether another op's turn it is now."""
        self._waiting[sequence_id].tickets.remove(ticket)
        has_begun = self._is_running or self._num_rows_done > 0
        return not has_begun and self._skip_abandoned()

    def pause(self, num_rows_done: int) -> None:
        """A part of the running op ended; its next part is ready."""
        assert self._is_running, "only a running op has parts that end"  # noqa: S101
        self._is_running = False
        self._num_rows_done = num_rows_done

    def finish(self, outcome: Outcome) -> Answer:
        """The running op ended; an error consumes its sequence id as a result does."""
        assert self._is_running, "only a running op ends"  # noqa: S101
        self._is_running = False
        answer = self._consume(outcome)
        self._skip_abandoned()
        return answer

    def fail_all(self, reason: TwinkleError) -> list[Answer]:
        """Answer everybody who waits; the queue is not used afterwards."""
        waiting = [self._waiting[key] for key in sorted(self._waiting)]
        self._waiting.clear()
        return [Answer(tuple(one.tickets), reason) for one in waiting]

    def _consume(self, outcome: Outcome) -> Answer:
        waiting = self._waiting.pop(self._next_id)
        self._answers[self._next_id] = outcome
        self._answers.pop(self._next_id - self._max_answers, None)
        self._next_id += 1
        self._num_rows_done = 0
        return Answer(tuple(waiting.tickets), outcome)

    def _skip_abandoned(self) -> bool:
        """Cancel ops that nobody waits for as their turn comes; return whether there were any."""
        first = self._next_id
        while (waiting := self._waiting.get(self._next_id)) is not None and not waiting.tickets:
            self._consume(
                ConflictError(
                    f"Sequence id {self._next_id} of adapter {self.adapter_id!r} was cancelled:"
                    " nobody waited for it when its turn came.",
                    "Send the work again under the next sequence id.",
                    CANCELLED,
                )
            )
        return self._next_id > first

    def _unknown(self, sequence_id: int) -> TwinkleError:
        name = f"Sequence id {sequence_id} of adapter {self.adapter_id!r}"
        if sequence_id < self._next_id:
            return ConflictError(
                f"{name} was answered long ago; only the last {self._max_answers} are kept."
            )
        return NotFoundError(f"{name} was not sent.")

    def _refuse(self, op: Op, waiting: _Waiting | None) -> TwinkleError | None:
        name = f"Sequence id {op.sequence_id} of adapter {self.adapter_id!r}"
        if op.sequence_id < 1:
            return InvalidDataError(f"{name} is not at least 1.")
        if waiting is not None and not _is_same(waiting.op, op):
            return ConflictError(f"{name} was sent before with another request.")
        if op.sequence_id < self._next_id:
            return self._unknown(op.sequence_id)
        if op.sequence_id >= self._next_id + self._max_queued:
            return QuotaExceededError(
                f"{name} is more than {self._max_queued} ahead of the next to run,"
                f" {self._next_id}.",
                "Wait for answers before sending more.",
            )
        return None


def _is_same(one: Op, other: Op) -> bool:
    """Whether they are the same to the last bit; a nan does not equal itself."""
    return one == other or repr(one) == repr(other)
