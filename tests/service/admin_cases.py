"""Routes for admins alone: everybody else is told so."""

from __future__ import annotations

#: `test_admin.py` asks them.
ADMIN = {
    "GET /metrics",
    *(f"GET /api/v1/admin/{what}" for what in ("overview", "limits", "maintenance", "audit")),
    *(f"PUT /api/v1/admin/{what}" for what in ("limits", "maintenance", "broadcast")),
    *(f"DELETE /api/v1/admin/{what}" for what in ("maintenance", "broadcast")),
}
