"""Trainer and sampler in one process, without Ray: the true engine, for tests and local use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from twinkle_jupyter.config.trainer_settings import SamplerSettings, TrainerSettings
from twinkle_jupyter.runtime.engine_thread import Progress
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.runtime.sample_loop import SampleLoop
from twinkle_jupyter.runtime.train_loop import TrainLoop


@asynccontextmanager
async def open_local_compute(
    base_model_folder: Path,
    *,
    base_model_name: str,
    num_threads: int = 1,
    settings: TrainerSettings | None = None,
    on_progress: Progress | None = None,
) -> AsyncIterator[Compute]:
    """Load both, one after the other, and close them at the end of the block."""
    settings = settings or TrainerSettings()
    trainer = TrainLoop(
        base_model_folder,
        base_model_name=base_model_name,
        num_threads=num_threads,
        settings=settings,
    )
    sampler = SampleLoop(
        base_model_folder,
        base_model_name=base_model_name,
        num_threads=num_threads,
        settings=SamplerSettings(dtype=settings.dtype),
    )
    try:
        await trainer.start(on_progress)
        await sampler.start(on_progress)
        yield Compute(trainer, sampler)
    finally:
        await trainer.close()
        await sampler.close()
