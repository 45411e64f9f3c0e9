"""Keys of users, for a service whose home is given."""

from __future__ import annotations

from pathlib import Path

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.store.sqlite import SqliteStore


async def make_keys(home: Path, *owners: str) -> list[str]:
    """Give everybody a key; the service may run already."""
    store = SqliteStore.open(ServiceConfig.load(home=home).store_path)
    keys = [await create_key(store, owner) for owner in owners]
    await store.close()
    return keys
