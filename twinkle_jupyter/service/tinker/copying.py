"""A user's saved weights once more, as those of a model of another session."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.client_adapters import ClientAdapters
from twinkle_jupyter.service.clients.readable_weights import find_readable
from twinkle_jupyter.service.clients.saved_weights import WeightsPath, moment_after, read_alpha
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.artifacts import MANIFEST_FILE, commit_folder, link_or_copy
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SavedWeightsRow, WeightsToLoad
from twinkle_jupyter.wire.tinker_bodies import CopyWeightsBody


async def copy_weights(
    parts: ServiceParts,
    adapters: ClientAdapters,
    asker: Asker,
    model_id: str,
    body: CopyWeightsBody,
) -> str:
    """Copy saved weights to a model that begins with them; return their new path.

    Again with the same model: the same copy.

    Raises:
        NotFoundError: There are no such weights that the user may read.
        ConflictError: There is another model of that id.
    """
    owner = asker.owner
    source = await find_readable(parts, asker, WeightsPath.parse(body.source_path))
    folder = parts.config.client_weights_folder(model_id, source.kind, f"{source.name}-0")
    # Of the copy: what it was made of may go.
    path = f"tinker://{model_id}/{source.kind}/{source.name}"
    begins_with = WeightsToLoad(path, str(folder), with_optimizer=True)
    await adapters.write(
        ClientAdapterRow(
            owner,
            model_id,
            model_id.partition(":")[0],
            source.base_model,
            source.rank,
            await asyncio.to_thread(read_alpha, source),
            0,
            trains=source.trains,
            # Weights to sample from have nothing to train on with.
            to_load=begins_with.to_row() if source.kind == "weights" else {},
        )
    )
    await asyncio.to_thread(_copy, Path(source.folder), folder)
    copy = source.changed(
        owner=owner,
        adapter_id=model_id,
        folder=str(folder),
        sequence_id=0,
        replaces="",
        # What somebody else noted beside their weights is theirs.
        user_metadata=source.user_metadata if source.owner == owner else {},
        expires_at=moment_after(body.ttl_seconds),
    )
    key = SavedWeightsRow.key(owner, model_id, copy.kind, copy.name)
    await parts.store.put(key, copy.to_row())
    return copy.path


def _copy(source: Path, folder: Path) -> None:
    """Link every file: no bytes are there twice, and each may be deleted by itself."""

    def write(target: Path) -> None:
        for file in source.iterdir():
            if file.name != MANIFEST_FILE:
                link_or_copy(str(file), str(target / file.name))

    try:
        commit_folder(folder, write, replace=True)
    except (OSError, shutil.Error) as error:
        raise InvalidDataError(f"The weights cannot be copied: {error}.") from error
