"""Limits as they are now: those of the configuration, and over them what admins have changed.

The changes are in the store, so that every replica knows them, and restarts change nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from twinkle_jupyter.config.limits import Limits, UserLimits
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.limit_rows import Changed, LimitScope, list_changed

#: How late a change made elsewhere may be noticed, in seconds.
_LASTS_S = 1.0


class LiveLimits:
    """Of one service.

    Args:
        store: Has the changes.
        configured: What they change.
    """

    def __init__(self, store: StateStore, configured: Limits) -> None:
        self._store = store
        self._configured = configured
        self._read_at = float("-inf")
        self.newest = configured

    async def current(self) -> Limits:
        """Return them as they were a second ago at most."""
        now = asyncio.get_running_loop().time()
        if now - self._read_at >= _LASTS_S:
            self._read_at = now  # whoever asks meanwhile takes those before
            self.newest = merge_limits(self._configured, await list_changed(self._store))
        return self.newest


def merge_limits(configured: Limits, changed: Iterable[tuple[LimitScope, str, Changed]]) -> Limits:
    """Return the configuration with what was changed: of everybody, of groups, of users."""
    everybody = configured.model_dump(include=set(UserLimits.model_fields))
    users, groups = dict(configured.users), dict(configured.groups)
    for scope, name, values in changed:
        if scope == "default":
            everybody.update(values)
        else:
            of = users if scope == "user" else groups
            said = of[name].model_dump(exclude_unset=True) if name in of else {}
            of[name] = UserLimits(**{**said, **values})
    return Limits(**everybody, users=users, groups=groups)
