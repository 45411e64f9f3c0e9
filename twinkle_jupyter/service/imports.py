"""Adapters of other programs, taken in: a run that is over at step 0, whose weights are theirs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from twinkle_jupyter.config.mistakes import settings_error
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import ConflictError, InvalidConfigError
from twinkle_jupyter.ids import RunId, new_adapter_id, new_run_id
from twinkle_jupyter.runs.checkpoints import Checkpoints
from twinkle_jupyter.runs.events import StateChanged
from twinkle_jupyter.service.adapter_files import AdapterFiles, check_folders_are_ours
from twinkle_jupyter.service.adapters import claim_adapter, get_adapter_run
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.wire.exports import ImportBody

_CHECKPOINT = Checkpoints.name(0)


async def import_adapter(
    parts: ServiceParts, files: AdapterFiles, owner: str, name: str, wanted: ImportBody
) -> RunRow:
    """Take in a PEFT folder under a name that is free; it can be asked and exported at once.

    Raises:
        InvalidConfigError: The name cannot be one, the base model cannot be had, the folder is not
            absolute, or the service is not the user's own.
        ConflictError: There is an adapter of that name.
        NotFoundError: There is no adapter in the folder.
        InvalidDataError: It is not of a kind that is trained here, or of another base model.
    """
    await check_folders_are_ours(parts, owner)
    folder = Path(wanted.folder)
    if not folder.is_absolute():
        raise InvalidConfigError(f"Folder `{folder}` is not an absolute path.")
    base_model = wanted.base_model or parts.config.base_model
    _config(name, base_model)
    await asyncio.to_thread(parts.check_base_model, base_model)
    if await get_adapter_run(parts.store, owner, name) is not None:
        raise _taken(name)
    run_id = new_run_id()
    checkpoint = parts.config.checkpoint_folder(run_id, _CHECKPOINT)
    try:
        shape = await files.import_peft(folder, base_model, checkpoint)
        config = _config(name, base_model, rank=shape.rank, alpha=shape.alpha)
        return await _publish(parts, owner, run_id, config)
    except BaseException:
        # Also when whoever asked is gone: nobody knows of this folder.
        shutil.rmtree(parts.config.run_folder(run_id), ignore_errors=True)
        raise


async def _publish(parts: ServiceParts, owner: str, run_id: RunId, config: RunConfig) -> RunRow:
    run = RunRow(
        run_id=run_id,
        owner=owner,
        adapter_id=new_adapter_id(),
        adapter=config.adapter,
        config=cast("Row", config.model_dump(mode="json")),
        fingerprint="",
        state="finished",
        checkpoint=_CHECKPOINT,
    )
    async with parts.quotas.room_for_adapters(owner, [config.adapter]):
        winner = await claim_adapter(parts.store, owner, config.adapter, run_id)
    if winner is not None:
        raise _taken(config.adapter)
    await parts.store.append(RunRow.log(run_id), StateChanged(state="finished", step=0).to_entry())
    await parts.store.put(RunRow.key(run_id), run.to_row())
    return run


def _config(name: str, base_model: str, **settings: float) -> RunConfig:
    try:
        return RunConfig.model_validate({"adapter": name, "base_model": base_model, **settings})
    except ValidationError as error:
        raise settings_error(error) from error


def _taken(name: str) -> ConflictError:
    return ConflictError(
        f"There is an adapter {name!r} already.", "Take another name with --adapter."
    )
