"""What an admin asks a service and has it do, as a program does it."""

from __future__ import annotations

from typing import TypeVar

import httpx
from pydantic import BaseModel

from twinkle_jupyter.client.asking import Params, ask
from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.wire.admin import (
    AuditBody,
    ChangedLimitsBody,
    ChangeLimitsBody,
    DrainBody,
    DrainStateBody,
    LimitChanges,
    LimitListBody,
    OverviewBody,
    SayBody,
)
from twinkle_jupyter.wire.notices import BroadcastBody, MaintenanceBody

__all__ = [
    "AdminClient",
    "AuditBody",
    "BroadcastBody",
    "ChangeLimitsBody",
    "ChangedLimitsBody",
    "DrainBody",
    "DrainStateBody",
    "LimitChanges",
    "LimitListBody",
    "MaintenanceBody",
    "OverviewBody",
    "SayBody",
]

_Body = TypeVar("_Body", bound=BaseModel)
#: Sizes on disk are counted while the service is asked.
_ANSWER_S = 60.0


class AdminClient:
    """Asks one service.

    Args:
        connection: With a key of an admin.

    Raises:
        ForbiddenError: From every method: the key is not an admin's.
        ServiceUnavailableError: From every method: the service does not answer.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def overview(self) -> OverviewBody:
        """Return who uses what, and what waits."""
        return self._ask("GET", "overview", OverviewBody)

    def limits(self) -> LimitListBody:
        """Return the limits as configured, and what was changed since."""
        return self._ask("GET", "limits", LimitListBody)

    def change_limits(self, body: ChangeLimitsBody) -> ChangedLimitsBody:
        """Change limits; return what is changed for those by now."""
        content = body.model_dump(mode="json", exclude_unset=True)
        return self._ask("PUT", "limits", ChangedLimitsBody, content)

    def maintenance(self) -> DrainStateBody:
        """Return whether the service rests, and how many runs have not come to rest."""
        return self._ask("GET", "maintenance", DrainStateBody)

    def drain(self, body: DrainBody) -> DrainStateBody:
        """Have it take in no new work, and every run rest at a checkpoint."""
        return self._ask("PUT", "maintenance", DrainStateBody, body.model_dump(mode="json"))

    def undrain(self) -> DrainStateBody:
        """Have it take in work, and those runs go on."""
        return self._ask("DELETE", "maintenance", DrainStateBody)

    def say(self, body: SayBody) -> BroadcastBody:
        """Tell everybody something for a while."""
        return self._ask("PUT", "broadcast", BroadcastBody, body.model_dump(mode="json"))

    def end_broadcast(self) -> None:
        """Say it no longer; raises NotFoundError where nothing is said."""
        self._send("DELETE", "broadcast")

    def audit(self, user: str = "", since: str = "", limit: int = 100) -> AuditBody:
        """Return who did what, newest first."""
        params: dict[str, str | int] = {"user": user, "limit": limit}
        if since:
            params["since"] = since
        answer = self._send("GET", "audit", params=params)
        return AuditBody.model_validate_json(answer.content)

    def _ask(self, method: str, path: str, kind: type[_Body], body: object = None) -> _Body:
        return kind.model_validate_json(self._send(method, path, body).content)

    def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        params: Params | None = None,
    ) -> httpx.Response:
        path = f"/admin/{path}"
        return ask(self._connection, method, path, body, params=params, timeout_s=_ANSWER_S)
