"""The sampler as an actor: a shell that loads torch only where it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.actors.parent_watch import end_with_parent
from twinkle_jupyter.actors.sampler_shell import SamplerShell
from twinkle_jupyter.actors.threads import load_numpy_first, share_cores
from twinkle_jupyter.config.trainer_settings import SamplerSettings
from twinkle_jupyter.engine.allocator import keep_freed_memory
from twinkle_jupyter.telemetry import log_to_file

if TYPE_CHECKING:
    from twinkle_jupyter.runtime.sample_loop import SampleLoop
    from twinkle_jupyter.runtime.vllm_loop import VllmLoop


class SamplerActor(SamplerShell):
    """`runtime.sample_loop.SampleLoop` behind Ray."""

    def __init__(
        self,
        folder: str,
        base_model: str,
        num_threads: int,
        settings: SamplerSettings,
        log_file: str,
    ) -> None:
        log_to_file(Path(log_file))
        end_with_parent()
        share_cores()
        load_numpy_first()
        # Every pass and every snapshot asks for the same memory again.
        keep_freed_memory()
        super().__init__(_build_loop(Path(folder), base_model, num_threads, settings))


def _build_loop(
    folder: Path, base_model: str, num_threads: int, settings: SamplerSettings
) -> SampleLoop | VllmLoop:
    if settings.engine == "vllm":
        from twinkle_jupyter.runtime.vllm_loop import VllmLoop

        return VllmLoop(
            folder,
            base_model_name=base_model,
            num_threads=num_threads,
            settings=settings,
            # Ray starts the actor again, and with it vLLM.
            on_lost=lambda: os._exit(1),
        )
    from twinkle_jupyter.runtime.sample_loop import SampleLoop

    return SampleLoop(
        folder, base_model_name=base_model, num_threads=num_threads, settings=settings
    )
