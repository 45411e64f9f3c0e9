"""What each user may have at once: found when they ask, and known from then on by who they are."""

from __future__ import annotations

from collections import OrderedDict

from twinkle_jupyter.config.limits import UserLimits
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.live_limits import LiveLimits

#: Users whose limits are kept at hand; the others' are those without a group.
_MAX_USERS = 4096


class LimitBook:
    """Of one service.

    Groups come with each request only, while work is counted by owner, also work that goes on when
    its request is answered: so what holds for an asker is kept until they ask again.

    Args:
        limits: As configured, and as admins have changed them.
    """

    def __init__(self, limits: LiveLimits) -> None:
        self._limits = limits
        self._seen: OrderedDict[str, UserLimits] = OrderedDict()

    async def see(self, asker: Asker) -> UserLimits:
        """Return what this asker may have, for all that is counted from now on."""
        found = (await self._limits.current()).of(asker.owner, sorted(asker.groups))
        self._seen[asker.owner] = found
        self._seen.move_to_end(asker.owner)
        if len(self._seen) > _MAX_USERS:
            self._seen.popitem(last=False)
        return found

    def of(self, owner: str) -> UserLimits:
        """Return what was found when this user asked last."""
        return self._seen.get(owner) or self._limits.newest.of(owner)
