"""The checkpoint that an adapter's name stands for, whoever trained it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from twinkle_jupyter.config.model_folder import read_json_object
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import ConflictError, NotFoundError
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.service.adapters import get_adapter_run
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.client_models import find_client_adapter, look_up
from twinkle_jupyter.service.held_checkpoints import find_checkpoint
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.weights_by_path import PathWeights, find_weights_of_path


@dataclass(frozen=True, slots=True)
class NamedCheckpoint:
    """A checkpoint, and what it is of."""

    adapter: str
    #: Empty for what no run has trained.
    run_id: str
    base_model: str
    rank: int
    alpha: float
    step: int
    folder: Path


async def find_named_checkpoint(
    parts: ServiceParts, asker: Asker, name: str, step: int | None
) -> NamedCheckpoint:
    """Return an adapter's checkpoint of a step, or the one that it stands for.

    Args:
        parts: Of the service.
        asker: Whose adapters may be named, and who may read what others share.
        name: An adapter's, or a path, which stands for one checkpoint.
        step: One that there is a checkpoint of; None for what the name stands for.

    Raises:
        NotFoundError: There is no such adapter, or no checkpoint of that step.
        ConflictError: It has none yet.
        InvalidDataError: The path is none.
    """
    owner = asker.owner
    if "://" in name:
        found = await find_weights_of_path(parts, asker, name)
        return await asyncio.to_thread(_of_path, found, step)
    run = await get_adapter_run(parts.store, owner, name)
    if run is not None:
        folder = await asyncio.to_thread(find_checkpoint, parts, run, step)
        config = RunConfig.model_validate(run.config)
        return NamedCheckpoint(
            run.adapter,
            run.run_id,
            config.base_model,
            config.rank,
            config.lora_alpha,
            Checkpoints.step(folder.name),
            folder,
        )
    row = await find_client_adapter(parts, owner, name)
    if row is None:
        raise NotFoundError(f"There is no adapter {name!r}.", "`%twinkle adapters` lists yours.")
    model = await look_up(parts, row)
    if model.folder is None:
        raise ConflictError(
            f"Adapter {name!r} has no saved weights yet.",
            "Its client saves some with `save_state`.",
        )
    if step not in (None, model.step):
        raise NotFoundError(
            f"Adapter {name!r} has no checkpoint of step {step}.",
            f"Its newest weights are of step {model.step}.",
        )
    return NamedCheckpoint(name, "", row.base_model, row.rank, row.alpha, model.step, model.folder)


def _of_path(found: PathWeights, step: int | None) -> NamedCheckpoint:
    config = read_json_object(found.folder / "adapter_config.json")
    state = read_json_object(found.folder / "trainer_state.json")
    at = cast("int", state.get("step", found.version or 0))
    if step not in (None, at):
        raise NotFoundError(
            f"{found.path!r} is a checkpoint of step {at}, not of step {step}.",
            "Leave the step out.",
        )
    rank, alpha = cast("int", config["r"]), cast("float", config["lora_alpha"])
    return NamedCheckpoint(
        found.path, found.run_id, found.base_model, rank, alpha, at, found.folder
    )
