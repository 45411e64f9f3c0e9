"""Limits that an admin has changed while the service runs: of everybody, of a group, of a user.

Such a row holds only what was changed; for the rest, the configuration counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast
from urllib.parse import quote, unquote

from twinkle_jupyter.store.interface import Row, StateStore

LimitScope = Literal["default", "group", "user"]
PREFIX = "live-limits/"

#: A limit's name and its value; 0 is no limit.
Changed = Mapping[str, int]


def limits_key(scope: LimitScope, name: str = "") -> str:
    """Where the row is kept; `default` has no name."""
    return f"{PREFIX}{scope}/{quote(name, safe='')}"


def changed_of(row: Row | None) -> Changed:
    """Return what a row holds."""
    return cast("Changed", row["changed"]) if row is not None else {}


async def change_limits(
    store: StateStore, scope: LimitScope, name: str, changes: Mapping[str, int | None]
) -> Changed:
    """Change some; None takes a change back. Return all changes that there are by now."""

    def change(row: Row | None) -> Row:
        merged = {**changed_of(row), **changes}
        return {"changed": {key: value for key, value in merged.items() if value is not None}}

    key = limits_key(scope, name)
    changed = changed_of(await store.update(key, change))
    if not changed:
        await store.replace(key, {"changed": {}}, {"changed": {}}, ttl_s=0.0)
    return changed


async def list_changed(store: StateStore) -> list[tuple[LimitScope, str, Changed]]:
    """Return every change, with whose it is."""
    found = []
    for key, row in await store.list_rows(PREFIX):
        scope, _, name = key.removeprefix(PREFIX).partition("/")
        found.append((cast("LimitScope", scope), unquote(name), changed_of(row)))
    return found
