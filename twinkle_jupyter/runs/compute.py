"""How a run gets its trainer and sampler: by the base model's name, when they are ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import Compute


class ComputeProvider(Protocol):
    """Knows where each base model is loaded."""

    async def folder(self, base_model: str, say: Callable[[str], Awaitable[None]]) -> Path:
        """Return the model's folder once its files are on disk; `say` gets each stage.

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
