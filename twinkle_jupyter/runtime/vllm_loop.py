"""A sampler whose engine is vLLM: the same handle, the same answers, its own batching.

vLLM runs in a process of its own and loads adapters from folders. Which version answers is decided
when a request arrives, as with the other engine.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from twinkle_jupyter.config.trainer_settings import SamplerSettings
from twinkle_jupyter.errors import (
    InvalidConfigError,
    MissingDependencyError,
    ServiceUnavailableError,
)
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.engine_thread import EngineThread, Progress
from twinkle_jupyter.runtime.handles import ComputeStatus, SamplerHandle
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta, SampleRequest

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from vllm.lora.request import LoRARequest
    from vllm.outputs import RequestOutput
    from vllm.v1.engine.async_llm import AsyncLLM

    from twinkle_jupyter.sampler.adapter_files import AdapterFiles, AdapterFolder

_LOGGER = logging.getLogger(__name__)

#: Adapters that one of vLLM's batches may have, and the largest rank.
_MAX_LORAS = 16
_MAX_RANK = 64
_GIB = 2**30
#: Of its share of a GPU; the rest is the driver's and torch's own.
_GPU_PART = 0.9


@dataclass(slots=True, eq=False)
class _Parts:
    """What the thread has prepared."""

    tokenizer: Tokenizer
    files: AdapterFiles
    num_input_tokens: int
    max_positions: int | None


class VllmLoop(SamplerHandle):
    """A sampler over vLLM.

    Args:
        base_model_folder: Hugging Face folder with safetensors and tokenizer.json.
        base_model_name: As people know it.
        num_threads: CPU threads, where there is no GPU.
        settings: How it computes, with how much memory, and a folder of its own for adapters, which
            is emptied at the start.
        on_lost: Called when vLLM's process has ended by itself.
    """

    def __init__(
        self,
        base_model_folder: Path,
        *,
        base_model_name: str,
        num_threads: int,
        settings: SamplerSettings,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = base_model_folder
        self._base_model_name = base_model_name
        self._settings = settings
        self._num_threads = num_threads
        self._scratch = Path(settings.scratch or tempfile.mkdtemp(prefix="twinkle-"))
        self._on_lost = on_lost
        self._thread: EngineThread[_Parts] = EngineThread("sampler")
        self._engine: AsyncLLM | None = None
        self._aborts: set[asyncio.Task[None]] = set()

    async def start(self, on_progress: Progress | None = None) -> None:
        """Load the base model.

        Raises:
            MissingDependencyError: There is no vLLM.
            InvalidConfigError: vLLM cannot load the base model.
        """
        await self._thread.start(self._build, on_progress)
        try:
            self._engine = await asyncio.to_thread(self._open_engine)
        except (RuntimeError, ValueError) as error:
            raise InvalidConfigError(
                f"vLLM cannot load base model {self._base_model_name!r}.",
                "The sampler's log says why; `sampler.engine: torch` may.",
            ) from error

    async def close(self) -> None:
        """End open answers and free the base model."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            await asyncio.to_thread(engine.shutdown)
        await self._thread.close()
        await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    async def put_snapshot(self, snapshot: AdapterSnapshot) -> None:
        """Hold these weights; they are the adapter's default from now on."""
        await self._thread.call(lambda parts: parts.files.put(snapshot))

    async def sample(
        self, request: SampleRequest, key: str | None = None
    ) -> AsyncGenerator[SampleDelta]:
        """Stream the answer; closing the iterator cancels it, as does `cancel(key)`.

        Raises:
            InvalidConfigError: The settings allow no token, or this vLLM cannot score prompts.
            InvalidDataError: The prompt is empty, too long or has unknown ids.
            NotFoundError: The adapter version is neither held nor in the request's checkpoint.
        """
        from twinkle_jupyter.sampler.detokenizer import Detokenizer
        from twinkle_jupyter.sampler.vllm_requests import read_output, read_params

        _refuse_scores_on_cpu(request)
        parts = await self._thread.get_engine()
        adapter, max_tokens = await self._thread.call(lambda parts: _prepare(parts, request))
        if self._engine is None:
            raise ServiceUnavailableError("The sampler is closed.")
        outputs = self._engine.generate(
            {"prompt_token_ids": list(request.prompt)},
            read_params(request, max_tokens),
            key or secrets.token_hex(8),
            lora_request=None if adapter is None else _lora_request(adapter),
        )
        detokenizer = Detokenizer(parts.tokenizer)
        version = None if adapter is None else adapter.version
        async for output in self._watch(outputs):
            for delta in read_output(output, request, version):
                is_stop = delta.finish_reason == "stop"
                text = "" if is_stop else "".join(map(detokenizer.append, delta.tokens))
                yield replace(delta, text=text)
                if delta.finish_reason is not None:
                    return

    async def _watch(self, outputs: AsyncIterator[RequestOutput]) -> AsyncIterator[RequestOutput]:
        """Pass on what vLLM tells; where its process has ended, nothing can go on here either."""
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            async for output in outputs:
                yield output
        except EngineDeadError as error:
            _LOGGER.exception("vLLM has ended")
            self._on_lost()
            raise ServiceUnavailableError("vLLM has ended.", "Its log says why.") from error

    def cancel(self, key: str) -> None:
        """End the answer of this key at once, if it is going on."""
        if self._engine is not None:
            abort = asyncio.create_task(self._engine.abort(key))
            self._aborts.add(abort)
            abort.add_done_callback(self._aborts.discard)

    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Forget all versions. Removing what is not there changes nothing."""
        await self._thread.call(lambda parts: parts.files.remove(adapter_id))

    async def status(self) -> ComputeStatus:
        """Answer when the base model is loaded."""
        parts = await self._thread.get_engine()
        return ComputeStatus(
            self._base_model_name,
            is_ready=True,
            num_adapters=len(parts.files),
            memory_bytes=await asyncio.to_thread(_measure_children),
        )

    def _build(self, report: Progress) -> _Parts:
        report("Loading vLLM")
        import torch

        from twinkle_jupyter.sampler.cache_budget import choose_cache_bytes

        # Before it is imported: it reads its environment then.
        cache_bytes = self._settings.cache_bytes or choose_cache_bytes(torch.device("cpu"))
        for name, value in {
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_CPU_KVCACHE_SPACE": str(max(1, cache_bytes // _GIB)),
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "OMP_NUM_THREADS": str(self._num_threads),
        }.items():
            os.environ.setdefault(name, value)
        try:
            import vllm
        except ImportError as error:
            raise MissingDependencyError(
                "`sampler.engine: vllm` needs the package `vllm`.",
                "Install it with `pip install 'twinkle-jupyter[vllm]'`, or take"
                " `sampler.engine: torch`.",
            ) from error
        del vllm
        from twinkle_jupyter.engine.base_model import fingerprint_base_model
        from twinkle_jupyter.engine.folder_sites import find_sites
        from twinkle_jupyter.sampler.adapter_files import AdapterFiles
        from twinkle_jupyter.sampler.detokenizer import load_tokenizer

        report(f"Loading weights of {self._base_model_name}")
        shutil.rmtree(self._scratch, ignore_errors=True)
        found = find_sites(self._folder)
        fingerprint = fingerprint_base_model(self._folder)
        files = AdapterFiles(
            self._scratch,
            found.sites,
            self._base_model_name,
            fingerprint,
            max_rank=_MAX_RANK,
        )
        return _Parts(
            load_tokenizer(self._folder), files, found.num_input_tokens, found.max_positions
        )

    def _open_engine(self) -> AsyncLLM:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        arguments = AsyncEngineArgs(
            model=str(self._folder),
            skip_tokenizer_init=True,
            dtype=self._settings.dtype,
            gpu_memory_utilization=_GPU_PART * self._settings.gpu_share,
            enable_lora=True,
            max_loras=_MAX_LORAS,
            max_lora_rank=_MAX_RANK,
            enable_prefix_caching=True,
            trust_remote_code=False,
            disable_log_stats=True,
        )
        return AsyncLLM.from_engine_args(arguments)


def _measure_children() -> int:
    """Return the resident bytes of vLLM's processes, which are the only ones started here."""
    sizes = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            sizes.append(child.memory_info().rss)
    return sum(sizes)


def _prepare(parts: _Parts, request: SampleRequest) -> tuple[AdapterFolder | None, int]:
    """Check the request; return the version that answers and how many tokens it may have."""
    from twinkle_jupyter.sampler.request_checks import check_request

    max_tokens = check_request(request, parts.num_input_tokens, parts.max_positions)
    if request.prompt_targets or request.num_prompt_draws:
        raise InvalidConfigError(
            "vLLM tells of no tokens in a prompt but its own and the likeliest.",
            "Set `sampler.engine: torch` for that.",
        )
    return parts.files.find(request), max_tokens


def _refuse_scores_on_cpu(request: SampleRequest) -> None:
    from vllm.platforms import current_platform

    # vLLM 0.32: its process ends over the shapes of adapters beside such a prompt.
    if current_platform.is_cpu() and (request.scores_prompt or request.num_top_prompt):
        raise InvalidConfigError(
            "vLLM on the CPU does not score prompts.", "Set `sampler.engine: torch` for that."
        )


def _lora_request(adapter: AdapterFolder) -> LoRARequest:
    from vllm.lora.request import LoRARequest

    # vLLM knows adapters by number: one that is never used again for other weights.
    return LoRARequest(str(adapter.number), adapter.number, str(adapter.folder))
