"""Maintenance: while an admin has the service rest, it takes in no new work.

What only reads, steers or ends something goes on being answered, and so does whoever polls for
what was taken in before. Runs rest by themselves (`store/notices.py`).
"""

from __future__ import annotations

import math
import re

from starlette.types import ASGIApp, Receive, Scope, Send

from twinkle_jupyter.errors import MAINTENANCE, ServiceUnavailableError, TwinkleError
from twinkle_jupyter.service.error_bodies import error_response
from twinkle_jupyter.store.notices import MaintenanceRow
from twinkle_jupyter.store.recent_row import RecentRows

#: Requests that compute, or that would: POST, below any of the prefixes.
_NATIVE = "runs|runs/[^/]+/(fork|rewind)|sweeps|sweeps/[^/]+/extend|samples|adapters/.+/exports"
_NATIVE += "|adapters/.+/import"
_TINKER = "create_model|forward|forward_backward|optim_step|load_weights|save_weights"
_TINKER += "|save_weights_for_sampler|save_weights_external|copy_weights|asample"
_TWINKLE = "(model|sampler|processor)/.+"
_OPENAI = "completions|chat/completions"
WORK = re.compile(rf"/api/v1/({_NATIVE}|{_TINKER}|{_TWINKLE}|{_OPENAI})|/(oai/api/)?v1/({_OPENAI})")

#: The longest that stock clients wait, and what they wait where nobody said how long it takes.
_LONG_S, _UNKNOWN_S = 60.0, 30.0


class MaintenanceGate:
    """ASGI middleware: answers new work with 503, the admin's sentence, and when to ask again."""

    def __init__(self, app: ASGIApp, rows: RecentRows) -> None:
        self._app = app
        self._rows = rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, or refuse."""
        is_work = scope["type"] == "http" and scope["method"] == "POST"
        if is_work and WORK.fullmatch(scope.get("path", "")):
            try:
                row = await self._rows.get(MaintenanceRow.KEY)
            except TwinkleError as error:
                await error_response(error, for_all=True)(scope, receive, send)
                return
            if row is not None:
                await _refuse(MaintenanceRow.from_row(row), scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _refuse(row: MaintenanceRow, scope: Scope, receive: Receive, send: Send) -> None:
    left_s = row.seconds_left
    hint = "It is expected to be over soon." if left_s == 0 else ""
    if left_s:
        hint = f"It is expected to be over in {math.ceil(left_s / 60)} min; runs go on after it."
    error = ServiceUnavailableError(
        f"Maintenance: {row.message}", hint or "Runs go on after it.", MAINTENANCE
    )
    response = error_response(error, for_all=True)
    wait_s = _UNKNOWN_S if left_s is None else min(max(left_s, 1.0), _LONG_S)
    response.headers["Retry-After"] = str(math.ceil(wait_s))
    await response(scope, receive, send)
