"""Between events and plans: answers are told at once, a plan begins when its company is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from twinkle_jupyter.runtime.op_tickets import OpTickets
from twinkle_jupyter.scheduling.company import Company
from twinkle_jupyter.scheduling.events import (
    AdapterRemoved,
    Answer,
    Event,
    OpArrived,
    Plan,
    PlanDone,
    RunMicroBatch,
)
from twinkle_jupyter.scheduling.machine import Scheduler


class Dispatch:
    """One trainer's scheduler with a clock.

    Args:
        scheduler: Decides what is next.
        tickets: Who is told of answers.
        begin: Begins a plan; its end is told by `PlanDone`.
    """

    def __init__(
        self, scheduler: Scheduler, tickets: OpTickets, begin: Callable[[Plan], None]
    ) -> None:
        self._scheduler = scheduler
        self._tickets = tickets
        self._begin = begin
        self._company = Company()
        self._timer: asyncio.TimerHandle | None = None
        self._plan: Plan | None = None
        self._began_at = 0.0

    def feed(self, event: Event) -> None:
        """Take in what happened, tell the answers, and begin the next plan or wait to."""
        now = time.monotonic()
        match event:
            case OpArrived(op=op):
                self._company.came(op.adapter_id, now)
            case AdapterRemoved(adapter_id=adapter_id):
                self._company.gone(adapter_id)
        for answer in self._scheduler.handle(event, plans=False):
            if isinstance(answer, Answer):
                self._tickets.answer(answer)
        if isinstance(event, PlanDone):
            self._note_end(now)
        self._go_on(now)

    def close(self) -> None:
        """Begin nothing more."""
        self._stop_waiting()
        self._begin = _begin_nothing

    def _note_end(self, now: float) -> None:
        plan, self._plan = self._plan, None
        if isinstance(plan, RunMicroBatch):
            self._company.lasted(now - self._began_at)
        for op in () if plan is None else plan.ops:
            if self._scheduler.is_settled(op.adapter_id):
                self._company.answered(op.adapter_id, now)

    def _go_on(self, now: float) -> None:
        self._stop_waiting()
        wait_s = self._company.wait_s(now) if self._scheduler.has_room_for_company else 0.0
        if wait_s > 0:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._begin_next)
        else:
            self._begin_next()

    def _begin_next(self) -> None:
        plan = self._scheduler.plan()
        if plan is not None:
            self._plan, self._began_at = plan, time.monotonic()
            self._begin(plan)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _begin_nothing(_: Plan) -> None:
    """The trainer is closed."""
