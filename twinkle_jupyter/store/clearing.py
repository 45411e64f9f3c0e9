"""Forgets everything that a store has but the API keys: whoever has one is let in afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.opening import SHORT_PATIENCE_S, open_store
from twinkle_jupyter.store.records import KeyRow

if TYPE_CHECKING:
    from redis.asyncio import Redis

_AT_ONCE = 500


async def clear_store(address: Path | str) -> None:
    """Empty the store; nobody else may have it open.

    Raises what `open_store` and the store's calls raise.
    """
    store = open_store(address, SHORT_PATIENCE_S)
    keys = await store.list_rows(KeyRow.key(""))
    await store.close()
    if isinstance(address, Path):
        await _replace_file(address, keys)
    else:
        await _clear_server(address)
        await _write(address, keys)


async def _write(address: Path | str, rows: Sequence[tuple[str, Row]]) -> None:
    store = open_store(address, SHORT_PATIENCE_S)
    for key, row in rows:
        await store.put(key, row)
    await store.close()


async def _replace_file(path: Path, keys: Sequence[tuple[str, Row]]) -> None:
    """Put a file with the keys alone in its place: a crash in between leaves one or the other."""
    new = path.with_name(f".{path.name}.new")
    for file in (new, *_beside(new)):
        file.unlink(missing_ok=True)
    await _write(new, keys)
    for file in _beside(path):
        file.unlink(missing_ok=True)
    new.replace(path)
    for file in _beside(new):
        file.unlink(missing_ok=True)


def _beside(path: Path) -> list[Path]:
    """Return what SQLite keeps beside a file; empty once whoever had it open has closed it."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]


async def _clear_server(url: str) -> None:
    from twinkle_jupyter.store.redis import PREFIX
    from twinkle_jupyter.store.redis_link import RedisLink

    link = RedisLink(url, SHORT_PATIENCE_S)

    async def delete_all(client: Redis) -> None:
        found: list[bytes] = []
        async for name in client.scan_iter(match=f"{PREFIX}*", count=_AT_ONCE):
            found.append(name)
            if len(found) == _AT_ONCE:
                await client.delete(*found)
                found.clear()
        if found:
            await client.delete(*found)

    await link.call(delete_all)
    await link.close()
