"""A run's checkpoints while it goes on: written beside its steps, one at a time.

A disk that is full costs checkpoints, not the run; only the last one has to be there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.runs.early_stopping import BestEval
from twinkle_jupyter.runs.events import Noticed
from twinkle_jupyter.runs.row_of_run import RowOfRun
from twinkle_jupyter.runs.run_log import RunLog
from twinkle_jupyter.runs.stepper import Stepper

#: Attempts at a run's last checkpoint, and the pause between two.
_MAX_ATTEMPTS = 5
_PAUSE_S = 1.0


class CheckpointSaver:
    """Saves what a stepper has.

    Args:
        stepper: Whose steps these are.
        checkpoints: Where they lie.
        log: Told of what could not be written.
        row: The run's row.
        best_checkpoint: Name of the best one so far, which stays.
    """

    def __init__(
        self,
        stepper: Stepper,
        checkpoints: Checkpoints,
        log: RunLog,
        row: RowOfRun,
        best_checkpoint: str,
    ) -> None:
        self._stepper = stepper
        self._checkpoints = checkpoints
        self._log = log
        self._row = row
        self._best_checkpoint = best_checkpoint
        self._saving: asyncio.Task[None] | None = None

    async def note_best(self, best: BestEval | None) -> None:
        """Note the best step, if its checkpoint became whole when nobody was there to do so."""
        if best is None or (await self._row.get()).best_step == best.step:
            return
        name = self._checkpoints.name(best.step)
        if await self._checkpoints.exists(name):
            await self._note_best(name, best)

    async def begin(self, step: int, keep_last: int, best: BestEval | None = None) -> None:
        """Have a checkpoint of this step written, after the one before is whole.

        Args:
            step: The newest step.
            keep_last: How many of the newest ones stay.
            best: What makes this one the best so far.
        """
        await self.finish()
        write = await self._stepper.begin_save(step)
        if write is not None:
            self._saving = asyncio.create_task(self._note(step, write, keep_last, best))

    async def finish(self) -> None:
        """Wait for the one that is on its way."""
        if self._saving is not None:
            saving, self._saving = self._saving, None
            await saving

    async def save_for_good(self, step: int, keep_last: int) -> None:
        """Write the run's last checkpoint, and insist on it.

        Raises:
            RunFailedError: It cannot be written.
        """
        await self.finish()
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            write = await self._stepper.begin_save(step)
            if write is None:
                return
            try:
                await self._keep(await write(), keep_last, None)
            except RunFailedError:
                if attempt == _MAX_ATTEMPTS:
                    raise
                await asyncio.sleep(_PAUSE_S)
            else:
                return

    async def cancel(self) -> None:
        """Wait for nothing more; what is being written becomes whole without us."""
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.gather(self._saving, return_exceptions=True)
            self._saving = None

    async def _note(
        self,
        step: int,
        write: Callable[[], Awaitable[str]],
        keep_last: int,
        best: BestEval | None,
    ) -> None:
        try:
            name = await write()
        except RunFailedError as error:
            await self._log.append(Noticed(step=step, message=str(error)))
        else:
            await self._keep(name, keep_last, best)

    async def _keep(self, name: str, keep_last: int, best: BestEval | None) -> None:
        await self._row.change(checkpoint=name)
        if best is not None:
            await self._note_best(name, best)
        kept = {self._best_checkpoint} | await self._row.labelled()
        await self._checkpoints.forget_old(name, keep_last, kept)

    async def _note_best(self, name: str, best: BestEval) -> None:
        self._best_checkpoint = name
        await self._row.change(best_checkpoint=name, best_step=best.step, best_loss=best.loss)
