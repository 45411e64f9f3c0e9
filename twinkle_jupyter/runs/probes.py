"""Probes: the same prompts, answered again and again while the weights change."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.runs.events import ProbeAnswered, ProbePart, Progress
from twinkle_jupyter.runs.run_log import RunLog
from twinkle_jupyter.runs.steering import Steering
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.sampler.interface import SampleRequest, SamplingSettings
from twinkle_jupyter.templates.chat_template import ChatTemplate

#: An answer that is being written is told in parts: its first token at once, then this many seconds
#: apart at least.
_PART_S = 0.2


class Probes:
    """Answers beside training: one round at a time, a round that comes too early is left out.

    Rounds at step 0 and at the last step always take place.
    """

    def __init__(
        self,
        steering: Steering,
        adapter_id: AdapterId,
        owner: str,
        template: ChatTemplate,
        log: RunLog,
    ) -> None:
        self._steering = steering
        self._owner = owner
        self._adapter_id = adapter_id
        self._template = template
        self._log = log
        self._round: asyncio.Task[None] | None = None

    def is_due(self, step: int) -> bool:
        """Whether a round belongs to this step."""
        return bool(self._steering.config.probe) and step % self._steering.config.probe_every == 0

    def answer_base(self, compute: Compute) -> None:
        """Start the round of step 0, once: what the base model says before any training."""
        if self._round is None and self._steering.config.probe and not self._has_round(0):
            self._round = asyncio.create_task(self._answer(compute, 0, None))

    async def answer(self, compute: Compute, step: int) -> None:
        """Start a round from the adapter's newest weights unless one is still going on."""
        if self._round is not None and not self._round.done():
            return
        await self.finish()
        if self._has_round(step):
            return
        # By its number: somebody may ask for an earlier step of it in between.
        version = await compute.sampler.hold_newest(compute.trainer, self._adapter_id)
        self._round = asyncio.create_task(self._answer(compute, step, version))

    async def finish(self) -> None:
        """Wait for the round that is going on."""
        if self._round is not None:
            going, self._round = self._round, None
            await going

    async def cancel(self) -> None:
        """End the round that is going on, if any."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)
            self._round = None

    def _has_round(self, step: int) -> bool:
        return all(
            self._log.has(ProbeAnswered(step=step, index=index, prompt=prompt, answer=""))
            for index, prompt in enumerate(self._steering.config.probe)
        )

    async def _answer(self, compute: Compute, step: int, version: AdapterVersion | None) -> None:
        try:
            # All in one batch, and all from the same weights.
            async with asyncio.TaskGroup() as answers:
                for index, prompt in enumerate(self._steering.config.probe):
                    answers.create_task(self._answer_one(compute, step, version, index, prompt))
        except* TwinkleError as errors:
            # Training goes on without this round, and the user sees why it is missing.
            why = f"No probe answer at step {step}: {errors.exceptions[0]}"
            await self._log.append(Progress(message=why))

    async def _answer_one(
        self,
        compute: Compute,
        step: int,
        version: AdapterVersion | None,
        index: int,
        prompt: str,
    ) -> None:
        request = SampleRequest(
            prompt=self._template.encode_prompt([{"role": "user", "content": prompt}]),
            settings=SamplingSettings(max_tokens=self._steering.config.probe_tokens),
            stop_tokens=self._template.stop_token_ids,
            adapter_id=None if version is None else self._adapter_id,
            version=version,
            user=self._owner,
        )
        answer, num_told, told_at = "", 0, -_PART_S
        async with aclosing(compute.sampler.sample(request)) as deltas:
            async for delta in deltas:
                answer += delta.text
                if len(answer) > num_told and time.monotonic() - told_at >= _PART_S:
                    text = answer[num_told:]
                    part = ProbePart(step=step, index=index, prompt=prompt, text=text)
                    await self._log.append(part)
                    num_told, told_at = len(answer), time.monotonic()
        event = ProbeAnswered(step=step, index=index, prompt=prompt, answer=answer)
        await self._log.append(event)
