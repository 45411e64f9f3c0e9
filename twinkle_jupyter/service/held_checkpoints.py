"""A run's checkpoint, found by its step, and held while somebody reads it beside the run."""

from __future__ import annotations

import shutil
from pathlib import Path

from twinkle_jupyter.errors import ConflictError, NotFoundError
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.artifacts import link_or_copy, list_folders, read_manifest
from twinkle_jupyter.store.records import RunRow


def find_checkpoint(parts: ServiceParts, run: RunRow, step: int | None) -> Path:
    """Return the folder of a step's checkpoint, or of the one that the run stands for.

    Raises:
        ConflictError: The run has none yet.
        NotFoundError: There is none of that step.
    """
    root = parts.config.checkpoint_folder(run.run_id, "-").parent
    there = list_folders(root)
    # A run that failed may have written one that its row does not know of.
    name = (run.checkpoint or max(there, default="")) if step is None else Checkpoints.name(step)
    if not name:
        raise ConflictError(
            f"Adapter {run.adapter!r} has no checkpoint yet.",
            f"Watch it with `%twinkle show {run.adapter}`.",
        )
    if name not in there:
        steps = ", ".join(str(Checkpoints.step(one)) for one in there)
        raise NotFoundError(
            f"Adapter {run.adapter!r} has no checkpoint of step {Checkpoints.step(name)}.",
            f"There are those of steps {steps}." if steps else "",
        )
    return root / name


def hold_checkpoint(checkpoint: Path, held: Path) -> None:
    """Link every file of a checkpoint, so that it can be read after the run has let go of it.

    Raises:
        ConflictError: The run was faster.
    """
    held.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(checkpoint, held, copy_function=link_or_copy)
        read_manifest(held)
    except (OSError, shutil.Error, NotFoundError) as error:
        shutil.rmtree(held, ignore_errors=True)
        raise ConflictError(
            "The run has just let go of this checkpoint.", "Try again: there is a newer one."
        ) from error
