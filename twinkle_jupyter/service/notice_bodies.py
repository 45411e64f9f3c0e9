"""An admin's notices as bodies."""

from __future__ import annotations

from twinkle_jupyter.store.notices import BroadcastRow, MaintenanceRow
from twinkle_jupyter.wire.notices import BroadcastBody, MaintenanceBody


def maintenance_body(row: MaintenanceRow | None) -> MaintenanceBody | None:
    """Return what everybody is told of maintenance."""
    if row is None:
        return None
    return MaintenanceBody(message=row.message, since=row.since, until=row.until)


def broadcast_body(row: BroadcastRow | None) -> BroadcastBody | None:
    """Return what everybody is told."""
    if row is None:
        return None
    return BroadcastBody(
        message=row.message, level=row.level, sent_at=row.sent_at, expires_at=row.expires_at
    )
