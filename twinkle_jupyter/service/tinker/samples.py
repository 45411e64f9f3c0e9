"""Samples that clients asked for: written beside everything else, and kept for a while.

They live in this process. A client that asks after a restart hears that they are gone, and submits
them again by itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from dataclasses import dataclass

from twinkle_jupyter.errors import NotFoundError, QuotaExceededError, TwinkleError
from twinkle_jupyter.runtime.handles import SamplerHandle
from twinkle_jupyter.service.error_bodies import log_unexpected
from twinkle_jupyter.service.tinker.completions import Completions
from twinkle_jupyter.service.tinker.reply import Reply
from twinkle_jupyter.service.tinker.sample_requests import SampleOrder, write_sample
from twinkle_jupyter.wire.tinker_codec import PROTOBUF
from twinkle_jupyter.wire.tinker_samples import SampledTokens, encode_json, encode_protobuf

#: Being written at once; more of them wait.
_MAX_WRITING = 256
#: Requests that are not done; one more is refused, and comes again by itself.
_MAX_WAITING = 512
#: Seconds that an answer is kept.
_KEPT_S = 600.0
_MAX_KEPT = 4096


class GoneError(TwinkleError):
    """It is not known any more; the client submits it again."""


@dataclass(slots=True)
class _Sample:
    task: asyncio.Task[list[SampledTokens]]
    order: SampleOrder
    asked_at: float


class Samples:
    """Of one process."""

    def __init__(self) -> None:
        self._samples: OrderedDict[tuple[str, str], _Sample] = OrderedDict()
        self._places = asyncio.Semaphore(_MAX_WRITING)
        #: For who waits for many at once.
        self.completions = Completions()

    def submit(self, owner: str, name: str, order: SampleOrder, sampler: SamplerHandle) -> None:
        """Begin to write an answer; the same name again changes nothing.

        Raises:
            QuotaExceededError: There are as many as the service takes.
        """
        self._forget_old()
        key = (owner, name)
        if key in self._samples:
            return
        if sum(not one.task.done() for one in self._samples.values()) >= _MAX_WAITING:
            raise QuotaExceededError(f"{_MAX_WAITING} samples are being written.", "Try again.")
        task = asyncio.get_running_loop().create_task(self._write(order, sampler))
        # Asking for the exception keeps asyncio from complaining where nobody comes for it.
        task.add_done_callback(
            lambda done: self.completions.note(
                owner, name, has_failed=done.cancelled() or done.exception() is not None
            )
        )
        self._samples[key] = _Sample(task, order, time.monotonic())

    async def retrieve(
        self, owner: str, name: str, hold_s: float, *, as_protobuf: bool
    ) -> Reply | None:
        """Return the answer, or None when it takes longer than `hold_s`.

        Raises:
            GoneError: There is no such sample, or no more.
        """
        sample = self._samples.get((owner, name))
        if sample is None:
            raise GoneError(f"Sample {name!r} is not known any more.", "Submit it again.")
        await asyncio.wait([sample.task], timeout=hold_s)
        if not sample.task.done():
            return None
        try:
            samples = sample.task.result()
        except asyncio.CancelledError:
            return Reply.failure(NotFoundError("The sample was cancelled."))
        except TwinkleError as error:
            return Reply.failure(error)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, told by its id
            return Reply.failure(log_unexpected(error))
        if as_protobuf:
            return Reply(encode_protobuf(samples, sample.order.prompt), PROTOBUF)
        return Reply(json.dumps(encode_json(samples, sample.order.prompt)).encode())

    def cancel(self, owner: str, name: str) -> None:
        """Stop writing it, within a token; what is not known stays so."""
        sample = self._samples.get((owner, name))
        if sample is not None:
            sample.task.cancel()

    async def _write(self, order: SampleOrder, sampler: SamplerHandle) -> list[SampledTokens]:
        async def write(number: int) -> SampledTokens:
            async with self._places:
                return await write_sample(sampler, order, number)

        try:
            async with asyncio.TaskGroup() as tasks:
                written = [tasks.create_task(write(number)) for number in range(order.num_samples)]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [task.result() for task in written]

    def _forget_old(self) -> None:
        oldest = time.monotonic() - _KEPT_S
        for key, sample in list(self._samples.items()):
            is_old = sample.asked_at < oldest or len(self._samples) > _MAX_KEPT
            if is_old and sample.task.done():
                del self._samples[key]
