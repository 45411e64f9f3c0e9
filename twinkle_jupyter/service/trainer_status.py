"""What trainers say of themselves, for as long as somebody who asks can wait."""

from __future__ import annotations

import asyncio

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.runtime.handles import ComputeStatus
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.records import BaseModelRow

#: A trainer that takes longer is left out.
_PATIENCE_S = 5.0


async def ask_trainer(
    parts: ServiceParts, model: BaseModelRow, within_s: float
) -> ComputeStatus | None:
    """Return what it says; None where it is not loaded, is away, or has a long step."""
    if model.phase != "ready":
        return None  # asking would have it loaded
    try:
        async with asyncio.timeout(within_s):
            return await (await parts.compute(model.name)).trainer.status()
    except (TwinkleError, TimeoutError):
        return None


async def ask_trainers(parts: ServiceParts, within_s: float = _PATIENCE_S) -> list[ComputeStatus]:
    """Return what the trainers of all loaded base models say; one that is away is left out."""
    rows = await parts.store.list_rows(BaseModelRow.PREFIX)
    models = [BaseModelRow.from_row(row) for _, row in rows]
    told = await asyncio.gather(*(ask_trainer(parts, one, within_s) for one in models))
    return [status for status in told if status is not None]
