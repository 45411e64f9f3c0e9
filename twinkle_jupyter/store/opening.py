"""Opens the store that an address names: a file, or a server."""

from __future__ import annotations

from pathlib import Path

from twinkle_jupyter.store.interface import StateStore

#: For those whose work must not be lost: a server comes back, a disk is cleared.
LONG_PATIENCE_S = 1800.0
#: For those who answer somebody: better an answer that says so.
SHORT_PATIENCE_S = 5.0


def open_store(address: Path | str, patience_s: float, *, is_durable: bool = True) -> StateStore:
    """Open a store.

    Args:
        address: Path of an SQLite file, or the URL of a Redis server.
        patience_s: How long a server that is away, or a full disk, is tried again.
        is_durable: Else a file is not synced at each change: what this store wrote last may be gone
            after a power cut, though not after a kill. Ten times as fast, for what is only counted.

    Raises:
        ServiceUnavailableError: The file is no database, from a newer release, or locked.
        MissingDependencyError: A server, and no redis-py.
    """
    if isinstance(address, Path):
        from twinkle_jupyter.store.sqlite import SqliteStore

        return SqliteStore.open(address, patience_s, is_durable=is_durable)
    from twinkle_jupyter.store.redis import RedisStore

    return RedisStore.open(address, patience_s)
