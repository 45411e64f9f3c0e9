"""The loop around a sampler: pass after pass as long as there are answers to write.

Answers stream through bounded queues, so that a slow reader holds up nobody; who leaves costs one
token at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.config.trainer_settings import SamplerSettings
from twinkle_jupyter.errors import QuotaExceededError, ServiceUnavailableError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.answer_stream import AnswerStream
from twinkle_jupyter.runtime.engine_thread import EngineThread, Progress
from twinkle_jupyter.runtime.handles import ComputeStatus, SamplerHandle
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta, SampleRequest

if TYPE_CHECKING:
    from twinkle_jupyter.engine.base_model import BaseModel
    from twinkle_jupyter.sampler.answer_batch import Pass
    from twinkle_jupyter.sampler.torch_sampler import TorchSampler

_LOGGER = logging.getLogger(__name__)

#: Answers under way and waiting.
_MAX_OPEN_ANSWERS = 512


class SampleLoop(SamplerHandle):
    """A sampler in this process.

    Args:
        base_model_folder: Hugging Face folder with safetensors and tokenizer.json.
        base_model_name: As people know it.
        num_threads: CPU threads of the sampler.
        settings: How it computes, and with how much memory.
        take_base: Returns the base model, whose modules are this sampler's from then on; loads it
            from the folder if None.
    """

    def __init__(
        self,
        base_model_folder: Path,
        *,
        base_model_name: str,
        num_threads: int,
        settings: SamplerSettings | None = None,
        take_base: Callable[[], BaseModel] | None = None,
    ) -> None:
        self._folder = base_model_folder
        self._base_model_name = base_model_name
        self._settings = settings or SamplerSettings()
        self._num_threads = num_threads
        self._take_base = take_base
        self._thread: EngineThread[TorchSampler] = EngineThread("sampler")
        self._numbers = count(1)
        self._streams: dict[int, AnswerStream] = {}
        self._by_key: dict[str, AnswerStream] = {}
        #: Numbers of answers that nobody reads any more.
        self._left: list[int] = []
        self._has_work = asyncio.Event()
        self._passes: asyncio.Task[None] | None = None

    async def start(self, on_progress: Progress | None = None) -> None:
        """Load the base model; raises what `engine.load_base_model` raises."""
        await self._thread.start(self._build, on_progress)
        self._passes = asyncio.create_task(self._run_passes(), name="sampler passes")

    async def close(self) -> None:
        """End open answers and free the base model."""
        if self._passes is not None:
            self._passes.cancel()
            await asyncio.wait([self._passes])
        for stream in self._streams.values():
            stream.put(ServiceUnavailableError("The sampler is closed."))
        await self._thread.close()

    async def put_snapshot(self, snapshot: AdapterSnapshot) -> None:
        """Hold these weights; they are the adapter's default from now on."""
        await self._thread.call(lambda sampler: sampler.put_snapshot(snapshot))

    async def sample(
        self, request: SampleRequest, key: str | None = None
    ) -> AsyncGenerator[SampleDelta]:
        """Stream the answer; closing the iterator cancels within one token, as does `cancel(key)`.

        Raises:
            QuotaExceededError: As many answers are open as the sampler takes.
        """
        if len(self._streams) >= _MAX_OPEN_ANSWERS:
            raise QuotaExceededError(
                f"{len(self._streams)} answers are being written, which is the sampler's limit.",
                "Try again when one of them has ended.",
            )
        stream = AnswerStream(next(self._numbers), self._has_work.set)
        self._streams[stream.number] = stream
        if key is not None:
            self._by_key[key] = stream
        try:
            await self._bring_in(request)
            await self._thread.call(lambda sampler: sampler.open_answer(stream.number, request))
            self._has_work.set()
            while (delta := await stream.next()) is not None:
                yield delta
                if delta.finish_reason is not None:
                    return
        finally:
            del self._streams[stream.number]
            if key is not None:
                del self._by_key[key]
            # Closed in front of the next pass, and behind being opened, which may still go on.
            self._left.append(stream.number)
            self._has_work.set()

    def cancel(self, key: str) -> None:
        """End the answer of this key at once, if it is going on."""
        if (stream := self._by_key.get(key)) is not None:
            stream.put(None)

    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Forget all versions. Removing what is not there changes nothing."""
        await self._thread.call(lambda sampler: sampler.snapshots.remove(adapter_id))

    async def status(self) -> ComputeStatus:
        """Answer when the base model is loaded."""
        sampler = await self._thread.get_engine()
        return ComputeStatus(
            self._base_model_name,
            is_ready=True,
            num_adapters=len(sampler.snapshots),
            memory_bytes=sampler.size_bytes,
        )

    async def _bring_in(self, request: SampleRequest) -> None:
        """Read a checkpoint that is needed beside the passes: hashing it may take a second."""
        adapter_id = request.adapter_id
        if adapter_id is None or not request.checkpoint:
            return
        if await self._thread.call(lambda sampler: sampler.is_held(request)):
            return
        sampler = await self._thread.get_engine()
        held = await asyncio.to_thread(sampler.load_checkpoint, request)
        await self._thread.call(lambda sampler: sampler.snapshots.put(adapter_id, held))

    async def _run_passes(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            # Who opens, leaves or reads in between wakes the loop again.
            while await self._run_pass():
                pass

    async def _run_pass(self) -> bool:
        """Run one pass; return whether there may be something to do for another."""
        left, self._left = self._left, []
        streams = tuple(self._streams.values())
        full = frozenset(stream.number for stream in streams if stream.is_full)
        try:
            done = await self._thread.call(lambda sampler: _advance(sampler, left, full))
        except Exception as error:
            _LOGGER.exception("A pass of the sampler failed")
            self._fail(streams, error)
            return False
        for number, thing in done.told:
            if (stream := self._streams.get(number)) is not None:
                stream.put(thing)
        return done.num_read > 0

    def _fail(self, streams: Iterable[AnswerStream], error: Exception) -> None:
        """End the answers of a pass that broke off: no later pass may try them again."""
        failure = (
            error
            if isinstance(error, TwinkleError)
            else ServiceUnavailableError(
                "The sampler could not go on with this answer.",
                "Ask again; its log says why.",
            )
        )
        for stream in streams:
            stream.put(failure)
            self._left.append(stream.number)

    def _build(self, report: Progress) -> TorchSampler:
        report("Loading torch and transformers")
        import torch

        from twinkle_jupyter.sampler.cache_budget import choose_cache_bytes
        from twinkle_jupyter.sampler.detokenizer import load_tokenizer
        from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
        from twinkle_jupyter.sampler.torch_sampler import TorchSampler

        torch.set_num_threads(self._num_threads)
        report(f"Loading weights of {self._base_model_name}")
        tokenizer = load_tokenizer(self._folder)
        base = (self._take_base or self._load_base)()
        if base.is_shared and base.device.type == "cuda":
            # Of this thread alone: kernels of both loops then run side by side.
            torch.cuda.set_stream(torch.cuda.Stream(base.device))  # type: ignore[no-untyped-call]
        cache_bytes = self._settings.cache_bytes or choose_cache_bytes(base.device)
        return TorchSampler(base, tokenizer, SnapshotCache(), cache_bytes=cache_bytes)

    def _load_base(self) -> BaseModel:
        from twinkle_jupyter.engine.base_model import load_base_model
        from twinkle_jupyter.engine.device import choose_device

        return load_base_model(self._folder, self._settings.dtype, choose_device())


def _advance(sampler: TorchSampler, left: Sequence[int], full: frozenset[int]) -> Pass:
    for number in left:
        sampler.close_answer(number)
    return sampler.advance(full)
