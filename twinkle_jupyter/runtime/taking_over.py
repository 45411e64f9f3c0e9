"""What an earlier process left waiting, given to the scheduler of this one."""

from __future__ import annotations

from twinkle_jupyter.runtime.dispatch import Dispatch
from twinkle_jupyter.runtime.op_tickets import OpTickets
from twinkle_jupyter.runtime.recovery import Recovered
from twinkle_jupyter.scheduling.events import OpArrived, OpCancelled
from twinkle_jupyter.scheduling.machine import Scheduler


def take_over(
    recovered: Recovered, scheduler: Scheduler, dispatch: Dispatch, tickets: OpTickets
) -> None:
    """Let the scheduler know the adapters and their ops, and begin with the first plan."""
    for queue in recovered.queues.values():
        dispatch.feed(queue)
    # First those for which nobody waits, and no plan yet: they would begin before they end.
    for key in recovered.cancelled:
        number = tickets.next_number()
        for event in (OpArrived(number, recovered.pending[key][1]), OpCancelled(number)):
            scheduler.handle(event, plans=False)
    for key, (_, op) in recovered.pending.items():
        if key not in recovered.cancelled:
            # Carried out whether or not somebody comes for it.
            dispatch.feed(OpArrived(tickets.next_number(), op))
