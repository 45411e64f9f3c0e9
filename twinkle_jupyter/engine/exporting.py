"""An adapter as what other programs load: PEFT's two files, a merged model, a GGUF file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from twinkle_jupyter.engine.checkpoint import CONFIG_FILE, WEIGHTS_FILE
from twinkle_jupyter.engine.gguf_writing import WeightType, write_gguf
from twinkle_jupyter.engine.merged_weights import MergedWeights
from twinkle_jupyter.engine.merged_writing import write_merged
from twinkle_jupyter.store.artifacts import read_manifest
from twinkle_jupyter.store.whole_folder import write_whole

ExportFormat: TypeAlias = Literal["peft", "merged", "gguf"]


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What is to be written, and where."""

    #: Of the adapter.
    checkpoint: Path
    #: Of the base model that it was trained on.
    base_folder: Path
    #: Where it is to be; absolute, not there yet or empty.
    folder: Path
    format: ExportFormat
    #: Name of the adapter; a GGUF file is called after it.
    name: str
    #: Of a GGUF file's matrices.
    weight_type: WeightType = "F16"


def export_adapter(order: ExportOrder, on_progress: Callable[[float], None]) -> int:
    """Write the folder, whole or not at all; return its bytes.

    Args:
        order: What and where.
        on_progress: Called with the share that is done, 0 to 1.

    Raises:
        NotFoundError: Checkpoint or base model is not there.
        InvalidDataError: One of them is broken, they do not belong together, or the format has no
            place for the architecture.
        InvalidConfigError: Nothing can be written to the folder.
        ConflictError: There is something in the folder.
        OSError: The disk is full or fails.
    """
    if order.format == "peft":
        return write_whole(order.folder, lambda folder: _copy_peft(order.checkpoint, folder))

    def write(folder: Path) -> None:
        with MergedWeights(order.base_folder, order.checkpoint) as weights:
            if order.format == "merged":
                write_merged(weights, order.base_folder, folder, on_progress)
            else:
                file = folder / f"{order.name}-{order.weight_type}.gguf"
                write_gguf(weights, order.base_folder, file, order.weight_type, on_progress)

    return write_whole(order.folder, write)


def _copy_peft(checkpoint: Path, folder: Path) -> None:
    read_manifest(checkpoint, verify=True)
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        shutil.copyfile(checkpoint / name, folder / name)
