"""Which adapters a user has: by name, and those that clients hold in sessions."""

from __future__ import annotations

from twinkle_jupyter.service.adapter_row import AdapterRow
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.interface import StateStore


async def names_of_adapters(store: StateStore, owner: str) -> set[str]:
    """Return names and ids.

    One that a client had put away when its session ended, or unloaded, is on disk only and does not
    count until it is used again.
    """
    named = await store.list_rows(AdapterRow.key(owner, ""))
    held = await store.list_rows(ClientAdapterRow.key(owner, ""))
    names = [AdapterRow.from_row(row) for _, row in named]
    clients = [ClientAdapterRow.from_row(row) for _, row in held]
    return {one.name for one in names if one.run_id} | {
        one.adapter_id for one in clients if not one.is_put_away
    }
