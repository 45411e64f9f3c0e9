"""A run that begins with the weights of an adapter that is there, on data of its own.

It is a new training: its steps begin at 1 and its optimizer has no memory. Which weights it begins
with lies in its folder before anybody can see the run.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.runs.checkpoints import ORIGIN
from twinkle_jupyter.service.adapter_files import AdapterFiles
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.held_checkpoints import hold_checkpoint
from twinkle_jupyter.service.named_checkpoints import find_named_checkpoint
from twinkle_jupyter.service.parts import ServiceParts


@dataclass(frozen=True, slots=True)
class FirstWeights:
    """An adapter that a run is to begin with."""

    parts: ServiceParts
    files: AdapterFiles
    asker: Asker
    #: Of the adapter, or the path of its weights.
    name: str
    run_id: str
    #: Of its checkpoint; `run_id` is empty where no run has trained it.
    base_model: str
    rank: int
    alpha: float

    def check(self, config: RunConfig) -> None:
        """See that a run of this configuration can begin with it.

        Raises:
            InvalidConfigError: Rank, alpha or base model differ; all are named.
        """
        wanted = {"rank": config.rank, "alpha": config.lora_alpha, "base_model": config.base_model}
        there = {"rank": self.rank, "alpha": self.alpha, "base_model": self.base_model}
        wrong = [
            f"`{name}={wanted[name]}` is not that of adapter {self.name!r}: {value}."
            for name, value in there.items()
            if wanted[name] != value
        ]
        if wrong:
            raise InvalidConfigError(" ".join(wrong), "Leave them out to take the adapter's.")

    async def bring(self, run_folder: Path) -> None:
        """Write the weights at step 0 into the folder of the new run.

        Raises:
            NotFoundError: The adapter is gone.
            ConflictError: It has no checkpoint, or has just let go of it.
        """
        found = await find_named_checkpoint(self.parts, self.asker, self.name, None)
        held = run_folder / "held"
        await asyncio.to_thread(hold_checkpoint, found.folder, held)
        try:
            await self.files.import_peft(held, self.base_model, run_folder / ORIGIN)
        finally:
            await asyncio.to_thread(shutil.rmtree, held, ignore_errors=True)


async def find_first_weights(
    parts: ServiceParts, files: AdapterFiles, asker: Asker, name: str
) -> FirstWeights:
    """Find the adapter to begin with: one of the asker's, or the path of weights they may read.

    Raises:
        NotFoundError: There is no such adapter.
        ConflictError: It has no checkpoint yet.
    """
    found = await find_named_checkpoint(parts, asker, name, None)
    shape = (found.base_model, found.rank, found.alpha)
    return FirstWeights(parts, files, asker, name, found.run_id, *shape)
