"""Answers that are on their way from the trainer before their client has asked for them.

A client sends an op and then asks what became of it. By then the question has been at the trainer
for a while, and all who ask here share one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import OpAnswer, TrainerHandle
from twinkle_jupyter.store.client_rows import ClientAdapterRow

#: Ops whose answers are awaited, or kept for whoever comes; any other is asked for when they come.
_MAX_KEPT = 256
#: How long an answer is kept that nobody comes for: the trainer has it, too.
_KEPT_S = 30.0

_Key = tuple[str, int]


class ComingOutcomes:
    """Of one process."""

    def __init__(self) -> None:
        #: By adapter and the client's sequence id, the oldest first.
        self._asked: OrderedDict[_Key, asyncio.Task[OpAnswer]] = OrderedDict()

    def ask(self, row: ClientAdapterRow, sequence_id: int, trainer: TrainerHandle) -> None:
        """Begin to wait for an op that the trainer has taken in."""
        key = (row.adapter_id, sequence_id)
        if key in self._asked:
            return  # sent again
        task = asyncio.create_task(_outcome(row, sequence_id, trainer))
        self._asked[key] = task
        task.add_done_callback(partial(self._keep, key))
        while len(self._asked) > _MAX_KEPT:
            self._asked.popitem(last=False)[1].cancel()

    async def get(
        self, row: ClientAdapterRow, sequence_id: int, trainer: TrainerHandle
    ) -> OpAnswer:
        """Return what became of an op.

        Raises:
            TwinkleError: What it failed with.
            ServiceUnavailableError: There is no trainer now; may be asked again.
        """
        key = (row.adapter_id, sequence_id)
        task = self._asked.get(key)
        if task is None or task.cancelled():
            return await _outcome(row, sequence_id, trainer)
        # Not awaited itself: whoever comes after it may push it out, and it is cancelled.
        await asyncio.wait((task,))
        self._forget(key, task)
        return await _outcome(row, sequence_id, trainer) if task.cancelled() else task.result()

    def _keep(self, key: _Key, task: asyncio.Task[OpAnswer]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._forget(key, task)  # whoever comes asks the trainer
        else:
            asyncio.get_running_loop().call_later(_KEPT_S, self._forget, key, task)

    def _forget(self, key: _Key, task: asyncio.Task[OpAnswer]) -> None:
        if self._asked.get(key) is task:
            del self._asked[key]


async def _outcome(row: ClientAdapterRow, sequence_id: int, trainer: TrainerHandle) -> OpAnswer:
    return await trainer.outcome(AdapterId(row.adapter_id), sequence_id - row.id_offset)
