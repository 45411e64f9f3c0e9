"""One service process of all that share a store cleans up for everybody.

It is elected by a hold in the store. When it dies, or no longer reaches the store, another one
takes over after `LEASE_S` at the latest, and it has stopped by then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

from twinkle_jupyter.errors import ServiceUnavailableError, TwinkleError
from twinkle_jupyter.store.hold import Hold, held
from twinkle_jupyter.store.interface import Row, StateStore

_LOGGER = logging.getLogger(__name__)

LEASE_S = 10.0
NAME = "leader"
_EPOCH_KEY = "leader-epoch"


@dataclass(frozen=True, slots=True)
class Duty:
    """What the leader does again and again; each time may be cancelled, and be done twice."""

    name: str
    every_s: float
    #: Given the leader's epoch, which is larger than that of every leader before.
    work: Callable[[int], Awaitable[None]]


class Leader:
    """A candidate: it waits to be elected, then does its duties for as long as it is.

    Args:
        store: Shared with the other candidates.
        duties: What is to be done by one of them.
        lease_s: How long an election lasts without a word.
    """

    def __init__(self, store: StateStore, duties: Sequence[Duty], lease_s: float = LEASE_S) -> None:
        self._store = store
        self._duties = duties
        self._lease_s = lease_s

    async def run(self) -> None:
        """Be there for election; until cancelled, and then somebody else is elected at once."""
        while True:
            try:
                async with held(
                    self._store, NAME, self._lease_s, look_every_s=self._lease_s / 10
                ) as hold:
                    await self._lead(hold)
            except ServiceUnavailableError as error:
                _LOGGER.warning("not the leader: %s", error)
                await asyncio.sleep(self._lease_s / 10)

    async def _lead(self, hold: Hold) -> None:
        epoch = cast("int", (await self._store.update(_EPOCH_KEY, _next))["epoch"])
        # Only now is the number ours alone: nobody else was elected since we took the hold.
        if not await hold.keep():
            return
        _LOGGER.info("the leader, epoch %d", epoch)
        async with asyncio.TaskGroup() as tasks:
            for duty in self._duties:
                tasks.create_task(_do(duty, epoch), name=duty.name)


def _next(row: Row | None) -> Row:
    return {"epoch": cast("int", (row or {"epoch": 0})["epoch"]) + 1}


async def _do(duty: Duty, epoch: int) -> None:
    while True:
        try:
            await duty.work(epoch)
        except TwinkleError as error:
            _LOGGER.warning("%s: %s", duty.name, error)
        except Exception:
            # The service, whose task this is, goes on without it.
            _LOGGER.exception("%s failed", duty.name)
        await asyncio.sleep(duty.every_s)
