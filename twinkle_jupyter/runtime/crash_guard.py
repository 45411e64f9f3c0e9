"""Keeps one op that ends the process from ending every process after it.

What was taken in is carried out by the next life of a trainer, and an op that ends lives (memory
that runs out where the system kills, a fault in a driver) would end all of them, for everybody. So
lives that end before any plan does are counted; after some, ops run one by one, each written down
before it begins; and one that was begun in two lives is refused in the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.runtime.journal import OpKey
from twinkle_jupyter.scheduling.request import Op
from twinkle_jupyter.store.interface import Row, StateStore

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
        """Count this life; it is a good one when a plan ends in it."""

        def count(row: Row | None) -> Row:
            begun = {} if row is None else row["begun"]
            return {"lives": (0 if row is None else cast("int", row["lives"])) + 1, "begun": begun}

        row = await self._store.update(self._key, count)
        self._begun = dict(cast("dict[str, int]", row["begun"]))
        self.is_careful = cast("int", row["lives"]) >= _CAREFUL_FROM

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

    async def before(self, ops: Sequence[Op]) -> None:
        """Write down what begins, in a life that has to be careful."""
        if not self.is_careful:
            return
        names = [_name((op.adapter_id, op.sequence_id)) for op in ops]

        def note(row: Row | None) -> Row:
            begun = dict(cast("dict[str, int]", (row or {"begun": {}})["begun"]))
            for name in names:
                begun[name] = begun.get(name, 0) + 1
            return {"lives": 0 if row is None else row["lives"], "begun": begun}

        await self._store.update(self._key, note)

    async def after(self) -> None:
        """A plan has ended in this life, or nothing is left that could end it."""
        if not self._has_survived:
            self._has_survived = True
            await self._store.put(self._key, {"lives": 0, "begun": {}})


def _name(key: OpKey) -> str:
    return f"{key[0]}/{key[1]}"
