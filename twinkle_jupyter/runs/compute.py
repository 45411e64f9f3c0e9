"""How a run gets its trainer and sampler: by the base model's name, when they are ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import Compute


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A base model on its way into memory."""

    #: Of its files.
    folder: Path
    #: How its trainer computes.
    settings: TrainerSettings


class ComputeProvider(Protocol):
    """Knows where each base model is loaded."""

    async def prepare(
        self, base_model: str, say: Callable[[str], Awaitable[None]]
    ) -> PreparedModel:
        """Return what is known once the model's files are on disk; `say` gets each stage.

        Raises:
            InvalidConfigError: There is no such model, or it cannot be read.
        """
        ...

    async def compute(self, base_model: str, say: Callable[[str], Awaitable[None]]) -> Compute:
        """Return trainer and sampler once both have loaded the model.

        Raises:
            ServiceUnavailableError: It cannot be loaded now.
            InvalidConfigError: It cannot be loaded at all.
        """
        ...

    async def forget(self, base_model: str, adapter_id: AdapterId) -> None:
        """Take an adapter off its trainer, now or when there is one again; loads no model."""
        ...
