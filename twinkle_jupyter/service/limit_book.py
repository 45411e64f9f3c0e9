"""What each user may have at once: found when they ask, and known from then on by who they are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from twinkle_jupyter.config.limits import Limits, UserLimits
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.store.limit_rows import changed_of, limits_key
from twinkle_jupyter.store.recent_row import RecentRows

#: Users whose limits are kept at hand; the others' are those without a group.
_MAX_USERS = 4096


class LimitBook:
    """Of one service.

    Groups come with each request only, while work is counted by owner, also work that goes on when
    its request is answered: so what holds for an asker is kept until they ask again.

    Args:
        limits: As configured.
        rows: What admins have changed since.
    """

    def __init__(self, limits: Limits, rows: RecentRows) -> None:
        self._limits = limits
        self._rows = rows
        self._seen: OrderedDict[str, UserLimits] = OrderedDict()

    async def see(self, asker: Asker) -> UserLimits:
        """Return what this asker may have, for all that is counted from now on."""
        groups = sorted(asker.groups)
        limits = await self._limits_now(asker.owner, groups)
        found = limits.of(asker.owner, groups)
        self._seen[asker.owner] = found
        self._seen.move_to_end(asker.owner)
        if len(self._seen) > _MAX_USERS:
            self._seen.popitem(last=False)
        return found

    async def _limits_now(self, owner: str, groups: Sequence[str]) -> Limits:
        keys = [limits_key("group", name) for name in groups]
        rows = await self._rows.get_many(limits_key("default"), limits_key("user", owner), *keys)
        if not any(rows):
            return self._limits
        everybody, own, *theirs = map(changed_of, rows)
        by_group = dict(zip(groups, theirs, strict=True))
        return self._limits.changed_for(owner, everybody, by_group, own)

    def of(self, owner: str) -> UserLimits:
        """Return what was found when this user asked last."""
        return self._seen.get(owner) or self._limits.of(owner)
