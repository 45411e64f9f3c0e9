"""Weights that a user may read: their own, and those that others have shared with them.

Whether something is shared is looked up with every request, so that taking it back bites at once.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.saved_weights import WeightsPath, find_saved
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.artifacts import has_folder
from twinkle_jupyter.store.client_rows import SavedWeightsRow, WeightsToLoad
from twinkle_jupyter.store.shares import ShareRow


async def find_readable(parts: ServiceParts, asker: Asker, path: WeightsPath) -> SavedWeightsRow:
    """Return saved weights of the asker's, or those that they may read.

    Raises:
        NotFoundError: There are none, or the asker may not know of them.
    """
    try:
        return await find_saved(parts, asker.owner, path)
    except NotFoundError:
        row = await parts.store.get(ShareRow.key(path.adapter_id, path.kind, path.name))
        share = None if row is None else ShareRow.from_row(row)
        if share is None or not share.is_readable(asker.owner, asker.groups):
            raise
        return await weights_of(parts, share)


async def weights_of(parts: ServiceParts, share: ShareRow) -> SavedWeightsRow:
    """Return the weights of what is shared; raises NotFoundError where they are gone."""
    path = WeightsPath(share.source, share.kind, share.name)
    if not share.is_of_run:
        saved = await find_saved(parts, share.owner, path)
        if saved.folder != share.folder:  # other weights have its name by now
            raise NotFoundError(f"There is no checkpoint {share.path!r}.")
        return saved
    folder = parts.config.checkpoint_folder(share.source, share.name)
    if not await asyncio.to_thread(has_folder, folder):
        raise NotFoundError(f"There is no checkpoint {share.path!r}.")
    return _as_saved(share, folder)


async def check_readable(parts: ServiceParts, owner: str, weights: WeightsToLoad) -> None:
    """See that what an adapter is to become may still be read by whoever asked for it.

    Raises:
        NotFoundError: It is gone, or is not shared with them any more.
    """
    if weights.path:  # an adapter that was put away is its owner's
        asker = Asker(owner, frozenset(weights.groups))
        found = await find_readable(parts, asker, WeightsPath.parse(weights.path))
        if found.owner != owner and found.folder != weights.folder:
            raise NotFoundError(f"There is no checkpoint {weights.path!r} any more.")


def _as_saved(share: ShareRow, folder: Path) -> SavedWeightsRow:
    """Return a run's checkpoint as clients that train step by step know theirs."""
    return SavedWeightsRow(
        share.owner,
        share.source,
        share.kind,
        share.name,
        share.base_model,
        share.rank,
        ("attn", "mlp"),
        str(folder),
        sequence_id=0,
        created_at=share.shared_at,
    )
