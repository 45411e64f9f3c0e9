"""A step engine as the settings want it: loads torch, transformers and the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.runtime.compute_plan import plan_compute
from twinkle_jupyter.runtime.engine_thread import Progress

if TYPE_CHECKING:
    from twinkle_jupyter.engine.base_model import BaseModel


def build_engine(
    folder: Path,
    name: str,
    num_threads: int,
    settings: TrainerSettings,
    report: Progress,
    on_base: Callable[[BaseModel], None] = lambda _: None,
) -> StepEngine:
    """Load a base model into an engine without adapters.

    Args:
        folder: Hugging Face folder with safetensors.
        name: As people know the base model; written into checkpoints.
        num_threads: CPU threads of this process.
        settings: How it computes, and how many adapters it keeps.
        report: Told what goes on.
        on_base: Told of the base model as it was loaded, before its modules are changed.

    Raises what `engine.load_base_model` raises.
    """
    import torch

    from twinkle_jupyter.engine.base_model import load_base_model
    from twinkle_jupyter.engine.device import choose_device
    from twinkle_jupyter.engine.residency import AdapterLimits

    torch.set_num_threads(num_threads)
    report(f"Loading weights of {name}")
    plan = plan_compute(folder, settings)
    base = load_base_model(folder, settings.dtype, choose_device())
    on_base(base)
    return StepEngine(
        base,
        base_model_name=name,
        token_budget=plan.token_budget,
        limits=AdapterLimits(
            max_active=settings.max_active_adapters,
            max_adapters=settings.max_adapters,
            host_bytes=settings.host_memory_for_adapters,
            scratch=Path(settings.scratch) if settings.scratch else None,
        ),
        gradient_checkpointing=plan.gradient_checkpointing,
    )
