"""When each user was here last: written down at most twice a minute, beside the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from typing import cast
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import now

PREFIX = "last-seen/"
_EVERY_S = 30.0
#: Nobody cares about those who were here longer ago.
_LIVES_S = 90 * 86_400.0
#: Users whose last note is known.
_MAX_USERS = 4096
#: How long a note may outlast its answer: on a full disk, a store tries again for minutes.
_LONGEST_S = 1.0

_LOGGER = logging.getLogger(__name__)


class LastSeen:
    """ASGI middleware: notes whom the gate has let in.

    Args:
        app: What follows.
        store: Where it is noted; need not survive a power cut.
    """

    def __init__(self, app: ASGIApp, store: StateStore) -> None:
        self._app = app
        self._store = store
        self._noted_at: OrderedDict[str, float] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note, and pass on."""
        asker = cast("Asker | None", scope.get("state", {}).get("asker"))
        if asker is None or not self._is_due(asker.owner):
            await self._app(scope, receive, send)
            return
        note = asyncio.create_task(self._note(asker.owner))
        try:
            await self._app(scope, receive, send)
            await asyncio.wait({note}, timeout=_LONGEST_S)
        finally:
            note.cancel()

    def _is_due(self, owner: str) -> bool:
        moment = time.monotonic()
        if moment - self._noted_at.get(owner, -_EVERY_S) < _EVERY_S:
            return False
        self._noted_at[owner] = moment
        self._noted_at.move_to_end(owner)
        if len(self._noted_at) > _MAX_USERS:
            self._noted_at.popitem(last=False)
        return True

    async def _note(self, owner: str) -> None:
        key = f"{PREFIX}{quote(owner, safe='')}"
        try:
            await self._store.put(key, {"at": now()}, ttl_s=_LIVES_S)
        except TwinkleError as error:
            _LOGGER.warning("who was here is not noted: %s", error)


async def read_last_seen(store: StateStore) -> dict[str, str]:
    """Return when each user was here last, ISO 8601, UTC."""
    rows = await store.list_rows(PREFIX)
    return {unquote(key.removeprefix(PREFIX)): str(row["at"]) for key, row in rows}
