"""Users whom the JupyterHub has deleted: what they leave is kept for a while, and then removed.

Nothing is removed on a guess. The Hub has to list its users whole, and to say of each one who is
missing that there is no such user, again and again for the whole time of grace.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.service.hub_api import HubApi
from twinkle_jupyter.service.hub_users import OWNER_PREFIX
from twinkle_jupyter.service.owner_removal import list_owners, remove_owner
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import now

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DepartedUsers:
    """Looks for them, and removes what is theirs when its time has come."""

    parts: ServiceParts
    api: HubApi

    async def look(self) -> None:
        """Look once.

        Raises:
            ServiceUnavailableError: The Hub does not say who its users are; nothing is done.
            ForbiddenError: It does not let the service see all of them; nothing is done.
        """
        owners = await list_owners(self.parts.store, OWNER_PREFIX)
        names = await self.api.list_names() if owners else frozenset()
        if owners and not names:
            _LOGGER.warning("the JupyterHub has no users at all: nobody is taken for deleted")
            return
        for owner in sorted(owners):
            name = owner.removeprefix(OWNER_PREFIX)
            if name in names or await self.api.user_of_name(name) is not None:
                await self.parts.store.delete(_key(owner))
            else:
                await self._see_gone(owner)

    async def _see_gone(self, owner: str) -> None:
        grace = timedelta(days=self.parts.config.hub.grace_days)
        since = str((await self.parts.store.update(_key(owner), _noted))["since"])
        if datetime.fromisoformat(since) + grace > datetime.now(tz=UTC):
            _LOGGER.info("%s is gone from the JupyterHub since %s at the latest", owner, since)
        elif await self._remove(owner):
            _LOGGER.warning("%s is gone for good: all that was theirs is removed", owner)
            await self.parts.store.delete(_key(owner))

    async def _remove(self, owner: str) -> bool:
        """Remove what is theirs; what stands in the way keeps nobody else's from being removed."""
        try:
            return await remove_owner(self.parts, owner)
        except TwinkleError as error:
            _LOGGER.warning("what %s has left is not all removed yet: %s", owner, error)
            return False


def _key(owner: str) -> str:
    return f"departed/{quote(owner, safe='')}"


def _noted(row: Row | None) -> Row:
    return row if row is not None else {"since": now()}
