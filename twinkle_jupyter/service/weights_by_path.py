"""Weights by their path: what a run of the asker's made, what a client saved, what others share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.service.adapters import get_adapter_run
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.readable_weights import find_readable
from twinkle_jupyter.service.clients.saved_weights import WeightsPath
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.artifacts import list_folders
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import CheckpointLabel, RunRow


@dataclass(frozen=True, slots=True)
class PathWeights:
    """What a path stands for."""

    path: str
    base_model: str
    folder: Path
    #: As a sampler tells it from others: of the asker's own run, or else the folder, which never
    #: changes.
    adapter_id: AdapterId
    version: AdapterVersion | None = None
    #: The run of the asker's; empty for what is not one's.
    run_id: str = ""


async def find_weights_of_path(parts: ServiceParts, asker: Asker, text: str) -> PathWeights:
    """Return what this asker may read under a path.

    `twinkle://ADAPTER/weights/LABEL` also names the asker's own run by its adapter, and its
    checkpoint by what somebody called it.

    Raises:
        InvalidDataError: It is no path.
        NotFoundError: There are none, or the asker may not know of them.
    """
    path = WeightsPath.parse(text)
    try:
        saved = await find_readable(parts, asker, path)
    except NotFoundError:
        found = await _find_of_run(parts, asker.owner, path, text)
        if found is None:
            raise
        return found
    folder = Path(saved.folder)
    return PathWeights(text, saved.base_model, folder, AdapterId(saved.folder))


async def _find_of_run(
    parts: ServiceParts, owner: str, path: WeightsPath, text: str
) -> PathWeights | None:
    run = await _own_run(parts.store, owner, path.adapter_id) if path.kind == "weights" else None
    if run is None:
        return None
    prefix = CheckpointLabel.key(run.run_id, "")
    labels = {
        CheckpointLabel.from_row(row).label: key.removeprefix(prefix)
        for key, row in await parts.store.list_rows(prefix)
        if not CheckpointLabel.from_row(row).has_expired
    }
    name = labels.get(path.name, path.name)
    root = parts.config.checkpoint_folder(run.run_id, "-").parent
    if name not in await asyncio.to_thread(list_folders, root):
        return None
    model, version = str(run.config["base_model"]), AdapterVersion(Checkpoints.step(name))
    return PathWeights(text, model, root / name, run.adapter_id, version, run.run_id)


async def _own_run(store: StateStore, owner: str, name: str) -> RunRow | None:
    row = await store.get(RunRow.key(name))
    if row is not None and RunRow.from_row(row).owner == owner:
        return RunRow.from_row(row)
    return await get_adapter_run(store, owner, name)
