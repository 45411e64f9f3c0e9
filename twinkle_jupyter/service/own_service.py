"""Whether a service is one user's own: what only that user may then ask of its machine."""

from __future__ import annotations

from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.records import KeyRow


async def is_shared(parts: ServiceParts, owner: str) -> bool:
    """Tell whether anybody but this user can have the service do something."""
    if parts.config.hub.is_set:
        return True
    keys = await parts.store.list_rows(KeyRow.key(""))
    return any(row["owner"] != owner for _, row in keys)
