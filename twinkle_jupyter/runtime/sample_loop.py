"""The loop around a sampler: open answers take turns, one token each.

A token is computed when the reader asks for it, so that a slow reader holds up nobody and a reader
who leaves costs one token at most.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import QuotaExceededError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.engine_thread import EngineThread, Progress
from twinkle_jupyter.runtime.handles import ComputeStatus
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta, SampleRequest

if TYPE_CHECKING:
    from twinkle_jupyter.sampler.torch_sampler import TorchSampler

_MAX_OPEN_ANSWERS = 64


class SampleLoop:
    """A `SamplerHandle` in this process.

    Args:
        base_model_folder: Hugging Face folder with safetensors and tokenizer.json.
        base_model_name: As people know it.
        dtype: Of the base model's weights.
        num_threads: CPU threads of the sampler.
    """

    def __init__(
        self,
        base_model_folder: Path,
        *,
        base_model_name: str,
        dtype: str = "float32",
        num_threads: int,
    ) -> None:
        self._folder = base_model_folder
        self._base_model_name = base_model_name
        self._dtype = dtype
        self._num_threads = num_threads
        self._thread: EngineThread[TorchSampler] = EngineThread("sampler")
        self._num_open = 0

    async def start(self, on_progress: Progress | None = None) -> None:
        """Load the base model; raises what `engine.load_base_model` raises."""
        await self._thread.start(self._build, on_progress)

    async def close(self) -> None:
        """End open answers at their next token and free the base model."""
        await self._thread.close()

    async def put_snapshot(self, snapshot: AdapterSnapshot) -> None:
        """Hold these weights; they are the adapter's default from now on."""
        await self._thread.call(lambda sampler: sampler.put_snapshot(snapshot))

    async def sample(self, request: SampleRequest) -> AsyncGenerator[SampleDelta]:
        """Stream the answer; closing the iterator cancels within one token.

        Raises:
            QuotaExceededError: As many answers are open as the sampler takes.
        """
        if self._num_open >= _MAX_OPEN_ANSWERS:
            raise QuotaExceededError(
                f"{self._num_open} answers are being written, which is the sampler's limit.",
                "Try again when one of them has ended.",
            )
        self._num_open += 1
        try:
            answer = await self._thread.call(lambda sampler: sampler.open_answer(request))
            while True:
                delta = await self._thread.call(lambda _: answer.advance())
                yield delta
                if delta.finish_reason is not None:
                    return
        finally:
            self._num_open -= 1

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

    def _build(self, report: Progress) -> TorchSampler:
        report("Loading torch and transformers")
        import torch

        from twinkle_jupyter.engine.base_model import load_base_model
        from twinkle_jupyter.sampler.detokenizer import load_tokenizer
        from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
        from twinkle_jupyter.sampler.torch_sampler import TorchSampler

        torch.set_num_threads(self._num_threads)
        report(f"Loading weights of {self._base_model_name}")
        tokenizer = load_tokenizer(self._folder)
        base = load_base_model(self._folder, self._dtype)
        return TorchSampler(base, tokenizer, SnapshotCache())
