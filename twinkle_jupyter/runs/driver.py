"""Drives one run: rows in, ops to the trainer, events into the log. Survives everything it calls.

The driver is a client like any other. It reads what the user wants (`RunRow.wanted`) before each
step, so a command takes effect at the next step wherever it came from, and it goes on where the
trainer is: whatever died, the curve is that of an unbroken run.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import NotFoundError, ServiceUnavailableError, TwinkleError
from twinkle_jupyter.ids import RunId, new_error_id
from twinkle_jupyter.runs.batches import read_rows
from twinkle_jupyter.runs.checkpoint_saver import CheckpointSaver
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.runs.compute import ComputeProvider
from twinkle_jupyter.runs.early_stopping import BestEval, find_best
from twinkle_jupyter.runs.events import CommandTaken, Progress, StateChanged
from twinkle_jupyter.runs.memory_plan import plan_run_memory
from twinkle_jupyter.runs.patience import Patience
from twinkle_jupyter.runs.plan_announcement import announce_plan
from twinkle_jupyter.runs.probes import Probes
from twinkle_jupyter.runs.recorder import Recorder
from twinkle_jupyter.runs.references import References
from twinkle_jupyter.runs.row_of_run import RowOfRun
from twinkle_jupyter.runs.run_log import RunLog
from twinkle_jupyter.runs.steering import CHECKPOINT, Steering
from twinkle_jupyter.runs.stepper import Stepper
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import RUNS_LOG, RunRow, RunState

_LOGGER = logging.getLogger(__name__)
_WISH_POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class _Parts:
    """What drives the steps of one attempt."""

    steering: Steering
    stepper: Stepper
    probes: Probes
    saver: CheckpointSaver

    async def save(self, step: int, best: BestEval | None = None) -> None:
        """Begin to save this step."""
        await self.saver.begin(step, self.steering.config.keep_last, best)


class RunDriver:
    """One run, from whatever state it is in to its end."""

    def __init__(
        self,
        store: StateStore,
        artifacts: Path,
        provider: ComputeProvider,
        run_id: RunId,
    ) -> None:
        self._store, self._folder = store, artifacts / "runs" / run_id
        self._provider = provider
        self._run_id = run_id
        self._row = RowOfRun(store, run_id)
        self._checkpoints = Checkpoints(self._folder)
        self._recorder = Recorder(self._folder)
        self._is_leaving = False

    def leave(self) -> None:
        """Stop at the next step boundary with a checkpoint; the run can go on later."""
        self._is_leaving = True

    async def drive(self) -> None:
        """Drive until the run is over, or until `leave` was heard."""
        log = await RunLog.open(self._store, self._run_id)
        if log.terminal_state is not None:
            await self._row.change(state=log.terminal_state)
            return
        if (await self._row.get()).state == "running":
            await self._enter(log, "interrupted", "The service ended while the run was going on.")
        patience = Patience(log.last_step)
        while not self._is_leaving:
            try:
                await self._attempt(log)
            except (ServiceUnavailableError, NotFoundError) as error:
                pause_s = patience.next_pause(log.last_step)
                if patience.is_over:
                    await self._let_go()
                    await self._enter(log, "failed", str(error))
                    return
                await self._enter_once(log, "interrupted", str(error))
                await asyncio.sleep(pause_s)
            except TwinkleError as error:
                await self._enter(log, "failed", str(error))
                return
            except Exception:
                error_id = new_error_id()
                _LOGGER.exception("run %s failed, %s", self._run_id, error_id)
                reason = f"Internal error, id {error_id}; the service's log has the details."
                await self._enter(log, "failed", reason)
                raise
            else:
                return

    async def _attempt(self, log: RunLog) -> None:
        row = await self._wait_until_wanted(log)
        if row is None:
            if log.terminal_state is not None:
                await self._let_go()
            return
        config = RunConfig.model_validate(dict(row.config))

        async def say(message: str) -> None:
            await log.append(Progress(message=message))

        model = await self._provider.prepare(config.base_model, say)
        template, batches = await asyncio.to_thread(
            read_rows, self._folder / "records.jsonl", model.folder, config
        )
        await self._recorder.begin(row, model, template)
        steering = Steering(
            config,
            len(batches.train),
            first_step=row.parent_step + 1,
            num_rows_before=row.parent_rows,
        )
        steering.replay(log.steered)
        memory = await asyncio.to_thread(
            plan_run_memory, model.folder, batches, config, model.settings
        )
        await announce_plan(log, batches, steering.total_steps, memory)
        await self._row.change(total_steps=steering.total_steps)
        compute = await self._provider.compute(config.base_model, say)
        probes = Probes(steering, row.adapter_id, row.owner, template, log)
        references = await asyncio.to_thread(References, self._folder, batches)
        stepper = Stepper(compute, steering, references, row.adapter_id, log, self._checkpoints)
        saver = CheckpointSaver(stepper, self._checkpoints, log, self._row, row.best_checkpoint)
        try:
            await self._train(log, compute, _Parts(steering, stepper, probes, saver))
        except (ServiceUnavailableError, NotFoundError):
            raise  # the trainer comes back with the adapter, and the run goes on
        except TwinkleError:
            await stepper.end()
            raise
        finally:
            await probes.cancel()
            await saver.cancel()

    async def _train(self, log: RunLog, compute: Compute, parts: _Parts) -> None:
        row = await self._row.get()
        step = await parts.stepper.begin(row.checkpoint, row.owner)
        await self._enter(log, "running", step=step)
        # Whoever drove before may have died between a step and what follows from it.
        await self._row.note_step(log.last_step, log.last_loss)
        await parts.saver.note_best(find_best(log.evals))
        is_over = not parts.stepper.has_lost_answers and await self._keep(log, parts, step)
        while not is_over and step < parts.steering.total_steps:
            before = await self._before_step(log, parts, step)
            if before == "leave":
                return
            if before == "stop":
                break
            if before == "look again":
                continue
            step += 1
            await parts.stepper.step(step)
            await self._row.note_step(log.last_step, log.last_loss)
            # After the first point: it must not wait for the base model's answers.
            parts.probes.answer_base(compute)
            if parts.probes.is_due(step):
                await parts.probes.answer(compute, step)
            is_over = await self._keep(log, parts, step)
        await self._finish(log, compute, parts, step)

    async def _before_step(
        self, log: RunLog, parts: _Parts, step: int
    ) -> Literal["go", "look again", "stop", "leave"]:
        """Do what is wanted of the run after `step`; tell how it goes on."""
        if parts.stepper.has_lost_answers:
            return "go"  # the next step is done already, with the settings that there were
        row = await self._row.after(step)
        if row.wanted == "stopped" and not self._is_leaving:
            return "stop"
        if self._is_leaving or row.wanted == "paused":
            return "look again" if await self._rest(log, parts, step) else "leave"
        if await self._steer(log, parts, row, step + 1):
            return "look again"
        return "go" if await parts.stepper.prepare(step) else "look again"

    async def _rest(self, log: RunLog, parts: _Parts, step: int) -> bool:
        """Bring the run to a checkpoint and hold it; tell whether it is to go on here."""
        await parts.save(step)
        await parts.saver.finish()
        if self._is_leaving:
            await self._enter(log, "interrupted", "The service is stopping.", step)
            return False
        if await self._wait_until_wanted(log, step) is None:
            if log.terminal_state is not None:
                await parts.stepper.end()
            return False
        parts.stepper.restart_clock()
        await self._enter(log, "running", step=step)
        return True

    async def _steer(self, log: RunLog, parts: _Parts, row: RunRow, step: int) -> bool:
        """Take what was wished for since the last step; tell whether there was anything."""
        events = parts.steering.take(row.wishes, step)
        for event in events:
            await log.append(event)
        if any(CHECKPOINT in event.changes for event in events):
            await parts.save(step - 1)
        if events:
            await self._row.change(total_steps=parts.steering.total_steps)
        return bool(events)

    async def _keep(self, log: RunLog, parts: _Parts, step: int) -> bool:
        """Save what is worth it after a step; tell whether the run has waited long enough."""
        if step < parts.steering.first_step:
            return False
        best = find_best({at: loss for at, loss in log.evals.items() if at <= step})
        if best is not None and best.step == step:
            await parts.save(step, best)
        elif parts.stepper.is_checkpoint_due(step):
            await parts.save(step)
        if best is None or not best.has_waited(parts.steering.config.patience):
            return False
        await self._row.change(keep="best", reason=best.as_reason())
        return True

    async def _finish(self, log: RunLog, compute: Compute, parts: _Parts, step: int) -> None:
        await parts.saver.save_for_good(step, parts.steering.config.keep_last)
        row = await self._row.get()
        if row.wanted != "stopped":
            await parts.probes.finish()
            await parts.probes.answer(compute, step)
            await parts.probes.finish()
        await self._row.leave_best()
        # Before the end is told: nobody drives a run that is over, and none leaves its end again.
        await parts.stepper.end()
        if row.wanted == "stopped":
            await log.append(CommandTaken(command="stop", step=step))
            await self._enter(log, "stopped", step=step)
        else:
            has_waited = step < parts.steering.total_steps
            await self._enter(log, "finished", row.reason if has_waited else "", step)

    async def _let_go(self) -> None:
        """Give up the adapter of a run that is over and that no trainer is driven for now."""
        row = await self._row.get()
        base_model = RunConfig.model_validate(dict(row.config)).base_model
        await self._provider.forget(base_model, row.adapter_id)

    async def _wait_until_wanted(self, log: RunLog, step: int | None = None) -> RunRow | None:
        """Hold a paused run; return its row when it is to run, None when it is over or we leave."""
        is_told = False
        while True:
            seen = await self._store.last_position(RUNS_LOG)
            row = await self._row.get()
            at = row.step if step is None else step
            is_ahead = step is None and log.last_step > Checkpoints.step(row.checkpoint)
            if row.wanted == "stopped" and is_ahead:
                return row  # it ends by the trainer, which has what no checkpoint has
            if row.wanted == "stopped":
                await log.append(CommandTaken(command="stop", step=at))
                await self._row.leave_best()
                await self._enter(log, "stopped", step=at)
                return None
            if row.wanted == "running" and is_told:
                await log.append(CommandTaken(command="resume", step=at))
            if row.wanted == "running":
                return row
            held_for = await self._row.held_for()
            if not is_told and row.state != "paused":
                await log.append(CommandTaken(command="pause", step=at))
                await self._enter(log, "paused", held_for, at)
            elif row.reason != held_for:
                await self._row.change(reason=held_for)
            is_told = True
            if self._is_leaving:
                return None
            await self._store.wait(RUNS_LOG, seen, _WISH_POLL_S)

    async def _enter(
        self, log: RunLog, state: RunState, reason: str = "", step: int | None = None
    ) -> None:
        at = (await self._row.get()).step if step is None else step
        await self._recorder.note(log, state, at)
        await log.append(StateChanged(state=state, step=at, reason=reason))
        await self._row.change(state=state, reason=reason)

    async def _enter_once(self, log: RunLog, state: RunState, reason: str) -> None:
        """Enter a state unless the run is in it already, for whatever reason."""
        if (await self._row.get()).state != state:
            await self._enter(log, state, reason)
