"""How ops come into a trainer and answers out of it: everything through the journal."""

from __future__ import annotations

import asyncio

from twinkle_jupyter.errors import (
    SENT_BEFORE,
    ConflictError,
    ServiceUnavailableError,
    TwinkleError,
)
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.dispatch import Dispatch
from twinkle_jupyter.runtime.durability import Durability
from twinkle_jupyter.runtime.op_tickets import OpTickets, Ticket
from twinkle_jupyter.scheduling.events import OpArrived, OpCancelled, OutcomeWanted
from twinkle_jupyter.scheduling.machine import Scheduler
from twinkle_jupyter.scheduling.request import CheckpointCopied, Op, OpAnswer

#: An op waits for its turn behind others; longer than this and something is wrong.
OP_TIMEOUT_S = 3600.0


class OpIntake:
    """One trainer's callers.

    Args:
        scheduler: Has the queues.
        tickets: Who waits for which op.
        dispatch: Feeds the scheduler.
        durability: Of the trainer as it is now.
    """

    def __init__(
        self, scheduler: Scheduler, tickets: OpTickets, dispatch: Dispatch, durability: Durability
    ) -> None:
        self._scheduler = scheduler
        self._tickets = tickets
        self._dispatch = dispatch
        self._durability = durability

    async def run(self, op: Op) -> OpAnswer:
        """Hand the op over and return its answer; cancelling this cancels it."""
        with self._tickets.wait(op.adapter_id, op.sequence_id) as ticket:
            self._hand_over(op, ticket)
            return await self._answer_of(ticket)

    async def run_new(self, op: Op) -> OpAnswer:
        """Like `run`; raises ConflictError where its sequence id is not the next free one."""
        free_id = self._scheduler.free_id(op.adapter_id)
        if free_id is not None and op.sequence_id != free_id:
            raise ConflictError(
                f"Sequence id {op.sequence_id} of adapter {op.adapter_id!r} is not the next free"
                f" one, {free_id}.",
                "Ask for its position.",
                SENT_BEFORE,
            )
        return await self.run(op)

    async def accept(self, op: Op) -> None:
        """Hand the op over to be carried out, whoever asks; return once nothing can undo it."""
        if self._scheduler.has_answered(op.adapter_id, op.sequence_id):
            return
        with self._tickets.wait(op.adapter_id, op.sequence_id) as ticket:
            # The scheduler keeps the ticket: the op counts as waited for until it is answered.
            self._hand_over(op, ticket)
            if ticket.future.done():
                await ticket.future
        await self._durability.journal.flushed()

    async def outcome(self, adapter_id: AdapterId, sequence_id: int) -> OpAnswer:
        """Wait for what comes of an op that was taken in; leaving changes nothing for it."""
        with self._tickets.wait(adapter_id, sequence_id) as ticket:
            self._dispatch.feed(OutcomeWanted(ticket.number, adapter_id, sequence_id))
            return await self._answer_of(ticket)

    def _hand_over(self, op: Op, ticket: Ticket) -> None:
        journal = self._durability.journal
        encoded = journal.encode(op)
        self._dispatch.feed(OpArrived(ticket.number, op))
        if not ticket.future.done():
            journal.accept(op, encoded)

    async def _answer_of(self, ticket: Ticket) -> OpAnswer:
        """Return the answer once nothing can undo it."""
        journal = self._durability.journal
        try:
            result = await asyncio.wait_for(ticket.future, OP_TIMEOUT_S)
        except TwinkleError:
            await journal.flushed()
            raise
        except asyncio.CancelledError:
            self._leave(ticket)
            raise
        except TimeoutError as error:
            self._leave(ticket)
            raise not_served(ticket.adapter_id) from error
        await journal.flushed()
        if isinstance(result, CheckpointCopied):
            return await self._durability.writer.finish(result)
        return result

    def _leave(self, ticket: Ticket) -> None:
        """Whoever waited under this ticket does so no more."""
        self._dispatch.feed(OpCancelled(ticket.number))
        if not self._scheduler.is_awaited(ticket.adapter_id, ticket.sequence_id):
            self._durability.journal.cancel(ticket.adapter_id, ticket.sequence_id)
            self._durability.changed(ticket.adapter_id)


def not_served(adapter_id: AdapterId) -> ServiceUnavailableError:
    """Say that an adapter's turn did not come."""
    message = f"Adapter {adapter_id!r} was not served for {OP_TIMEOUT_S:g} s."
    return ServiceUnavailableError(message)
