"""The API key of the user whose service this is: made once, kept where only they can read it.

It is an admin's: who can read the file could also change the store.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from twinkle_jupyter.service.auth import asker_of_key, create_key
from twinkle_jupyter.store.interface import StateStore

LOCAL_OWNER = "local"


async def local_api_key(store: StateStore, path: Path) -> str:
    """Return the local user's key, making a new one when the file or the store has lost it."""
    key = await asyncio.to_thread(_read, path)
    asker = await asker_of_key(store, key) if key else None
    if asker is not None and asker.owner == LOCAL_OWNER and asker.is_admin:
        return key
    key = await create_key(store, LOCAL_OWNER, is_admin=True)
    await asyncio.to_thread(_write, path, key)
    return key


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


def _write(path: Path, key: str) -> None:
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key)
    part.replace(path)
