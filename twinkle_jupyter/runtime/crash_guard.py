"""Keeps one op that ends the process from ending every process after it.

What was taken in is carried out by the next life of a trainer, and an op that ends lives (memory
that runs out where the system kills, a fault in a driver) would end all of them, for everybody. So
lives that end before any op does are counted; after some, ops run one by one, each written down
before it begins; and one that was begun in two lives is refused in the next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import cast

from twinkle_jupyter.errors import RunFailedError, TwinkleError
from twinkle_jupyter.runtime.journal import OpKey
from twinkle_jupyter.scheduling.request import Op
from twinkle_jupyter.store.interface import Row, StateStore

_LOGGER = logging.getLogger(__name__)

#: Lives that began in a row, this one included, before ops run one by one.
_CAREFUL_FROM = 3
#: Lives that an op may be under way in when they end.
_MAX_BEGUN = 2


class CrashGuard:
    """The count of one trainer's lives.

    Args:
        store: Where it is kept.
        name: Of the trainer's journal.
    """

    def __init__(self, store: StateStore, name: str) -> None:
        self._store = store
        self._key = f"trainer-lives/{name}"
        self._has_survived = False
        #: Whether each op has to be written down before it begins.
        self.is_careful = False
        self._begun: dict[str, int] = {}

    async def begin_life(self) -> None:
        """Count this life; it is a good one when an op ends in it."""

        def count(row: Row | None) -> Row:
            lives, begun = _read(row)
            return {"lives": lives + 1, "begun": begun}

        lives, self._begun = _read(await self._store.update(self._key, count))
        self.is_careful = lives >= _CAREFUL_FROM

    def find_guilty(self, keys: Iterable[OpKey]) -> dict[OpKey, RunFailedError]:
        """Return why an op is not begun again, for those that ended more lives than they may."""
        return {
            key: RunFailedError(
                f"The trainer's process ended {self._begun[_name(key)]} times while it carried out"
                f" op {key[1]} of adapter {key[0]!r}; it is not tried again.",
                "Its log may say why; too little memory is the usual reason: make batches smaller.",
            )
            for key in keys
            if self._begun.get(_name(key), 0) >= _MAX_BEGUN
        }

    async def before(self, op: Op) -> None:
        """Write down what begins."""
        name = _name((op.adapter_id, op.sequence_id))

        def note(row: Row | None) -> Row:
            lives, begun = _read(row)
            return {"lives": lives, "begun": {**begun, name: begun.get(name, 0) + 1}}

        await self._store.update(self._key, note)

    async def survived(self) -> None:
        """An op has ended in this life, or nothing is left that could end it."""
        if self._has_survived:
            return
        try:
            await self._store.put(self._key, {"lives": 0, "begun": {}})
        except TwinkleError as error:
            _LOGGER.warning("that this trainer lives could not be written down: %s", error)
        else:
            self._has_survived = True


def _read(row: Row | None) -> tuple[int, dict[str, int]]:
    if row is None:
        return 0, {}
    return cast("int", row["lives"]), dict(cast("dict[str, int]", row["begun"]))


def _name(key: OpKey) -> str:
    return f"{key[0]}/{key[1]}"
