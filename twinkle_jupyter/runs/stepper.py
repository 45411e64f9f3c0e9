"""One step of a run as ops: forward and backward, optimizer, eval, checkpoint, in sequence."""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections.abc import Awaitable, Callable, Mapping

from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runs.batches import Batch
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.runs.events import (
    CheckpointSavedEvent,
    EvalDone,
    Noticed,
    Progress,
    StepDone,
)
from twinkle_jupyter.runs.lost_answers import LostAnswers, find_lost_answers
from twinkle_jupyter.runs.references import References, check_is_first
from twinkle_jupyter.runs.run_log import RunLog
from twinkle_jupyter.runs.steering import Steering
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    OptimStepResult,
    SaveCheckpoint,
)

#: Rows of one eval op at least: without a backward pass they take little memory.
_MIN_EVAL_ROWS = 8
#: Seconds between two words about how far scoring is.
_TELL_S = 1.0


class Stepper:
    """Turns steps into ops with the sequence ids that any other client would give them."""

    def __init__(
        self,
        compute: Compute,
        steering: Steering,
        references: References,
        adapter_id: AdapterId,
        log: RunLog,
        checkpoints: Checkpoints,
    ) -> None:
        self._compute = compute
        self._steering = steering
        self._references = references
        self._batches = references.batches()
        self._adapter_id = adapter_id
        self._log = log
        self._checkpoints = checkpoints
        self._sequence_id = 0
        self._saved_step = 0
        self._lost = LostAnswers()
        self._finished_at = time.monotonic()
        self._told_at = -_TELL_S

    @property
    def total_steps(self) -> int:
        """Steps of the whole run, by the newest settings."""
        return self._steering.total_steps

    @property
    def has_lost_answers(self) -> bool:
        """Whether the next step, or its first half, is done already."""
        return self._lost.passed is not None

    async def begin(self, checkpoint: str, user: str) -> int:
        """Find or bring the adapter into the trainer; return the step after which to go on.

        It counts towards the user's share, behind what they wait for themselves. A trainer that was
        away comes back with every op it had taken in; what it answered and nobody heard is asked
        for again under the same sequence ids, and is the same.
        """
        self.restart_clock()
        position = await self._compute.trainer.position(self._adapter_id)
        if position is None:
            self._sequence_id = 0
            self._saved_step = await self._bring_in(checkpoint, user)
            return self._saved_step
        self._sequence_id = position.next_sequence_id - 1
        told = max(self._log.last_step, self._steering.first_step - 1)
        trainer = self._compute.trainer
        self._lost = await find_lost_answers(trainer, self._adapter_id, position, told)
        if self._lost.stepped is not None:
            return told
        if self._lost.passed is None:
            await self._tell_eval(position.step)
        return position.step

    async def _bring_in(self, checkpoint: str, user: str) -> int:
        """Load the newest state there is, or make the adapter; return its step."""
        trainer = self._compute.trainer
        folder = await self._checkpoints.find(checkpoint)
        if folder is not None:
            return await trainer.load_adapter(
                self._adapter_id, str(folder), user=user, priority="background"
            )
        config = self._steering.config
        spec = AdapterSpec(rank=config.rank, alpha=config.lora_alpha, seed=config.seed)
        await trainer.create_adapter(self._adapter_id, spec, user=user, priority="background")
        return 0

    async def prepare(self, step: int) -> bool:
        """Have some answers scored that the loss compares with; tell whether all are.

        Args:
            step: The newest one, which is the last before this run's first.
        """
        references = self._references
        if references.is_whole:
            return True
        check_is_first(references, step, self._steering.first_step)
        if time.monotonic() - self._told_at >= _TELL_S:
            known, wanted = references.num_known, references.num_wanted
            message = f"Scoring the answers before the first step: {known:,} of {wanted:,}"
            await self._log.append(Progress(message=message, fraction=known / wanted))
            self._told_at = time.monotonic()
        op = ForwardBackward(
            self._adapter_id, self._next(), references.next_examples(), forward_only=True
        )
        scored = await self._compute.trainer.forward_backward(op)
        is_whole = await asyncio.to_thread(references.take, scored)
        if is_whole:
            self._batches = references.batches()
            self.restart_clock()
        return is_whole

    async def step(self, step: int) -> None:
        """Take one optimizer step, tell it, and eval when it is time."""
        batch = self._batches.batch(self._steering.rows_at(step))
        rate = self._steering.learning_rate_at(step)
        config = self._steering.config_at(step)
        settings = AdamWSettings(
            learning_rate=rate,
            weight_decay=config.weight_decay,
            grad_clip_norm=config.grad_clip,
            gradient_scale=1 / batch.divisor,
        )
        passed, stepped = await self._pass_and_step(batch, settings)
        now = time.monotonic()
        await self._log.append(
            StepDone(
                step=step,
                loss=passed.loss_sum / batch.divisor,
                learning_rate=rate,
                grad_norm=stepped.grad_norm,
                num_tokens=passed.num_tokens,
                num_supervised=passed.num_supervised,
                seconds=now - self._finished_at,
                queue_seconds=passed.queue_seconds,
                forward_seconds=passed.forward_seconds,
                backward_seconds=passed.backward_seconds,
                optimizer_seconds=stepped.seconds,
                metrics=_finite(passed.metrics),
            )
        )
        if passed.split_into:
            message = (
                f"Step {step} did not fit into memory at once; it was computed in"
                f" {passed.split_into} parts, as later ones will be."
            )
            await self._log.append(Noticed(step=step, message=message))
        self._finished_at = now
        await self._tell_eval(step)

    async def _pass_and_step(
        self, batch: Batch, settings: AdamWSettings
    ) -> tuple[ForwardBackwardResult, OptimStepResult]:
        """Send both at once, the trainer keeps them in order; less what it has answered before."""
        trainer, adapter_id = self._compute.trainer, self._adapter_id
        lost, self._lost = self._lost, LostAnswers()
        if lost.passed is not None:
            return lost.passed, lost.stepped or await trainer.optim_step(
                OptimStep(adapter_id, self._next(), settings)
            )
        return await asyncio.gather(
            trainer.forward_backward(self._pass(batch)),
            trainer.optim_step(OptimStep(adapter_id, self._next(), settings)),
        )

    def restart_clock(self) -> None:
        """Leave the time until now out of the next step's seconds."""
        self._finished_at = time.monotonic()

    def is_checkpoint_due(self, step: int) -> bool:
        """Whether a checkpoint belongs to this step."""
        return step % self._steering.config.checkpoint_every == 0

    async def begin_save(self, step: int) -> Callable[[], Awaitable[str]] | None:
        """Prepare a checkpoint of this step; None where there is one.

        Calling what is returned has it written beside later steps, and gives its name once it is
        whole. It is not awaited yet: whoever would may be cancelled before.
        """
        if step in (0, self._saved_step):
            return None
        self._saved_step = step
        name = self._checkpoints.name(step)
        op = None
        if not await self._checkpoints.exists(name):
            # Its sequence id comes before those of the next step, whenever it is sent.
            op = SaveCheckpoint(self._adapter_id, self._next(), str(self._checkpoints.path(name)))
        return functools.partial(self._save, step, name, op)

    async def _save(self, step: int, name: str, op: SaveCheckpoint | None) -> str:
        if op is None:
            return name
        try:
            saved = await self._compute.trainer.save_checkpoint(op)
        except RunFailedError:
            self._saved_step = 0  # to be tried again
            raise
        await self._log.append(
            CheckpointSavedEvent(step=step, name=name, size_bytes=saved.size_bytes)
        )
        return name

    async def end(self) -> None:
        """Give the slot back."""
        await self._compute.trainer.remove_adapter(self._adapter_id)

    async def _tell_eval(self, step: int) -> None:
        """Tell the mean loss over the rows kept from training when it is time, once a step."""
        config = self._steering.config
        is_due = step % config.eval_every == 0 or step == self.total_steps
        if not (self._batches.evaluation and is_due and step):
            return
        if self._log.has(EvalDone(step=step, loss=0.0)):
            return
        loss, num_examples = 0.0, 0
        sums: dict[str, float] = {}
        for batch in self._batches.eval_batches(max(_MIN_EVAL_ROWS, config.batch_size)):
            op = self._pass(batch, forward_only=True)
            passed = await self._compute.trainer.forward_backward(op)
            loss += passed.loss_sum / batch.divisor
            num_examples += len(batch.examples)
            for name, value in passed.metrics.items():
                sums[name] = sums.get(name, 0.0) + value * len(batch.examples)
        means = {name: value / num_examples for name, value in sums.items()}
        await self._log.append(EvalDone(step=step, loss=loss, metrics=_finite(means)))
        self.restart_clock()

    def _pass(self, batch: Batch, *, forward_only: bool = False) -> ForwardBackward:
        return ForwardBackward(
            self._adapter_id,
            self._next(),
            batch.examples,
            batch.loss,
            batch.loss_settings,
            forward_only=forward_only,
        )

    def _next(self) -> int:
        self._sequence_id += 1
        return self._sequence_id


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return what of a loss's metrics can be told: JSON has no NaN."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
