"""Drives one run: rows in, ops to the trainer, events into the log. Survives everything it calls.

The driver is a client like any other. It reads what the user wants (`RunRow.wanted`) before each
step, so a command takes effect at the next step wherever it came from, and it always goes on from
the newest whole checkpoint: whatever died, the curve is that of an unbroken run.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.errors import NotFoundError, ServiceUnavailableError, TwinkleError
from twinkle_jupyter.ids import RunId, new_error_id
from twinkle_jupyter.runs.batches import Batches
from twinkle_jupyter.runs.checkpoint_saver import CheckpointSaver
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.runs.compute import ComputeProvider
from twinkle_jupyter.runs.early_stopping import BestEval, find_best
from twinkle_jupyter.runs.events import CommandTaken, Planned, Progress, StateChanged
from twinkle_jupyter.runs.memory_plan import plan_memory
from twinkle_jupyter.runs.patience import Patience
from twinkle_jupyter.runs.probes import Probes
from twinkle_jupyter.runs.run_log import RunLog
from twinkle_jupyter.runs.steering import Steering
from twinkle_jupyter.runs.stepper import Stepper
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.store.interface import JSON, Row, StateStore
from twinkle_jupyter.store.records import RUNS_LOG, RunRow, RunState
from twinkle_jupyter.templates.chat_template import ChatTemplate

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
        settings: TrainerSettings | None = None,
    ) -> None:
        self._store = store
        self._folder = artifacts / "runs" / run_id
        self._provider = provider
        self._run_id = run_id
        self._settings = settings or TrainerSettings()
        self._checkpoints = Checkpoints(self._folder)
        self._is_leaving = False

    def leave(self) -> None:
        """Stop at the next step boundary with a checkpoint; the run can go on later."""
        self._is_leaving = True

    async def drive(self) -> None:
        """Drive until the run is over, or until `leave` was heard."""
        log = await RunLog.open(self._store, self._run_id)
        if log.terminal_state is not None:
            await self._change(state=log.terminal_state)
            return
        if (await self._row()).state == "running":
            await self._enter(log, "interrupted", "The service ended while the run was going on.")
        patience = Patience(log.last_step)
        while not self._is_leaving:
            try:
                await self._attempt(log)
            except (ServiceUnavailableError, NotFoundError) as error:
                pause_s = patience.next_pause(log.last_step)
                if patience.is_over:
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

        folder = await self._provider.folder(config.base_model, say)
        template, batches = await asyncio.to_thread(self._read_rows, folder, config)
        steering = Steering(
            config,
            len(batches.train),
            first_step=row.parent_step + 1,
            num_rows_before=row.parent_rows,
        )
        steering.replay(log.steered)
        memory_bytes = await asyncio.to_thread(plan_memory, folder, batches, config, self._settings)
        await log.append(
            Planned(
                total_steps=steering.total_steps,
                num_train_rows=len(batches.train),
                num_eval_rows=len(batches.evaluation),
                memory_bytes=memory_bytes,
            )
        )
        await self._change(total_steps=steering.total_steps)
        compute = await self._provider.compute(config.base_model, say)
        probes = Probes(steering, row.adapter_id, template, log)
        stepper = Stepper(compute, steering, batches, row.adapter_id, log, self._checkpoints)
        saver = CheckpointSaver(stepper, self._checkpoints, log, self._change, row.best_checkpoint)
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
        row = await self._row()
        step = await parts.stepper.begin(row.checkpoint, row.owner)
        await self._enter(log, "running", step=step)
        while step < parts.steering.total_steps:
            row = await self._row()
            if row.wanted == "stopped" and not self._is_leaving:
                break
            if self._is_leaving or row.wanted == "paused":
                if not await self._rest(log, parts, step):
                    return
                continue
            if await self._steer(log, parts, row, step + 1):
                continue
            step += 1
            loss = await parts.stepper.step(step)
            await self._change(step=max(step, log.last_step), loss=loss)
            # After the first point: it must not wait for the base model's answers.
            parts.probes.answer_base(compute)
            if parts.probes.is_due(step):
                await parts.probes.answer(compute, step)
            if await self._keep(log, parts, step):
                break
        await self._finish(log, compute, parts, step)

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
        if parts.stepper.has_lost_answers:
            return False  # this step was sent with the settings that there were
        events = parts.steering.take(row.wishes, step)
        for event in events:
            await log.append(event)
        if events:
            await self._change(total_steps=parts.steering.total_steps)
        return bool(events)

    async def _keep(self, log: RunLog, parts: _Parts, step: int) -> bool:
        """Save what is worth it after a step; tell whether the run has waited long enough."""
        best = find_best(log.evals)
        if best is not None and best.step == step:
            await parts.save(step, best)
        elif parts.stepper.is_checkpoint_due(step):
            await parts.save(step)
        if best is None or not best.has_waited(parts.steering.config.patience):
            return False
        await self._change(keep="best", reason=best.as_reason())
        return True

    async def _finish(self, log: RunLog, compute: Compute, parts: _Parts, step: int) -> None:
        await parts.saver.save_for_good(step, parts.steering.config.keep_last)
        row = await self._row()
        if row.wanted == "stopped":
            await log.append(CommandTaken(command="stop", step=step))
        else:
            await parts.probes.finish()
            await parts.probes.answer(compute, step)
            await parts.probes.finish()
        if row.keep == "best" and row.best_checkpoint:
            await self._change(checkpoint=row.best_checkpoint)
        if row.wanted == "stopped":
            await self._enter(log, "stopped", step=step)
        else:
            has_waited = step < parts.steering.total_steps
            await self._enter(log, "finished", row.reason if has_waited else "", step)
        await parts.stepper.end()

    async def _let_go(self) -> None:
        """Give up the adapter of a run that is over and that no trainer is driven for now."""
        row = await self._row()
        base_model = RunConfig.model_validate(dict(row.config)).base_model
        await self._provider.forget(base_model, row.adapter_id)

    async def _wait_until_wanted(self, log: RunLog, step: int | None = None) -> RunRow | None:
        """Hold a paused run; return its row when it is to run, None when it is over or we leave."""
        is_told = False
        while True:
            seen = await self._store.last_position(RUNS_LOG)
            row = await self._row()
            at = row.step if step is None else step
            if row.wanted == "stopped":
                await log.append(CommandTaken(command="stop", step=at))
                await self._enter(log, "stopped", step=at)
                return None
            if row.wanted == "running":
                if is_told:
                    await log.append(CommandTaken(command="resume", step=at))
                return row
            if not is_told and row.state != "paused":
                await log.append(CommandTaken(command="pause", step=at))
                await self._enter(log, "paused", step=at)
            is_told = True
            if self._is_leaving:
                return None
            await self._store.wait(RUNS_LOG, seen, _WISH_POLL_S)

    async def _enter(
        self, log: RunLog, state: RunState, reason: str = "", step: int | None = None
    ) -> None:
        at = (await self._row()).step if step is None else step
        await log.append(StateChanged(state=state, step=at, reason=reason))
        await self._change(state=state, reason=reason)

    async def _enter_once(self, log: RunLog, state: RunState, reason: str) -> None:
        """Enter a state unless the run is in it already, for whatever reason."""
        if (await self._row()).state != state:
            await self._enter(log, state, reason)

    async def _row(self) -> RunRow:
        row = await self._store.get(RunRow.key(self._run_id))
        if row is None:
            raise TwinkleError(f"Run {self._run_id} is not in the store.")
        return RunRow.from_row(row)

    async def _change(self, **changes: JSON) -> None:
        def change(row: Row | None) -> Row:
            if row is None:
                raise TwinkleError(f"Run {self._run_id} is not in the store.")
            return RunRow.from_row(row).changed(**changes).to_row()

        await self._store.update(RunRow.key(self._run_id), change)

    def _read_rows(self, model_folder: Path, config: RunConfig) -> tuple[ChatTemplate, Batches]:
        lines = (self._folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
        template = ChatTemplate.load(model_folder)
        return template, Batches.build(
            [json.loads(line) for line in lines if line], template, config
        )
