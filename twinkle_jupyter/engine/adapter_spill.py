"""Adapters on disk for as long as this process lives: room, not checkpoints.

The folder belongs to one trainer alone and is emptied when it starts; nobody else reads it, and
what a crash leaves in it means nothing.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from twinkle_jupyter.engine.adapter_bank import AdapterState
from twinkle_jupyter.scheduling.request import AdapterSpec


@dataclass(frozen=True, slots=True)
class SpilledAdapter:
    """Where an adapter's tensors are, and what of it is no tensor."""

    file: Path
    spec: AdapterSpec
    step: int


class AdapterSpill:
    """Writes adapters into files and reads them back bit by bit the same.

    Args:
        folder: Emptied at once; None makes a temporary one when it is first needed, and removes it
            with this object.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def write(self, state: AdapterState) -> SpilledAdapter:
        """Write tensors that are in host memory.

        Raises:
            OSError: There is no room, or the folder cannot be written; nothing is left of it.
            SafetensorError: The same, from the library that writes.
        """
        # A new name each time: what was read before may still be mapped.
        file = self._open_folder() / f"{next(self._numbers):06d}.safetensors"
        tensors = {
            "parameters": state.parameters.detach(),
            "exp_avg": state.exp_avg,
            "exp_avg_sq": state.exp_avg_sq,
        }
        if state.gradient is not None:
            tensors["gradient"] = state.gradient
        try:
            save_file(tensors, file)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return SpilledAdapter(file, state.spec, state.step)

    def read(self, spilled: SpilledAdapter) -> AdapterState:
        """Read what `write` wrote, into memory of its own.

        Raises:
            OSError: The file is gone or cannot be read.
            SafetensorError: It is not what was written.
        """
        tensors: dict[str, Tensor] = load_file(spilled.file)
        gradient = tensors.get("gradient")
        # Clones: the loaded tensors may be a map of the file, which is about to go.
        return AdapterState(
            spec=spilled.spec,
            parameters=tensors["parameters"].clone(),
            exp_avg=tensors["exp_avg"].clone(),
            exp_avg_sq=tensors["exp_avg_sq"].clone(),
            gradient=None if gradient is None else gradient.clone(),
            step=spilled.step,
        )

    def forget(self, spilled: SpilledAdapter) -> None:
        """Remove the file."""
        spilled.file.unlink(missing_ok=True)

    def _open_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="twinkle-adapters-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder
