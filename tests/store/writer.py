"""A process that writes to a store beside others: `python -m tests.store.writer NAME COUNT`.

`STORE` is a file's path or a server's URL. It prints what was acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.opening import open_store

#: Position, and the number that the writer gave the entry.
Acknowledged = tuple[int, int]


def _add_one(row: Row | None) -> Row:
    return {"count": int(str((row or {"count": 0})["count"])) + 1}


async def write(
    store: StateStore, name: str, count: int, tell: Callable[[Acknowledged], object]
) -> None:
    for i in range(count):
        tell((await store.append("log", {"by": name, "i": i}), i))
        await store.update("counter", _add_one)
    await store.close()


def start_writer(address: Path | str, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.writer", name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "STORE": str(address)},
    )


async def wait_for(writer: subprocess.Popen[str]) -> list[Acknowledged]:
    """Return what it told once it has ended."""
    out, _ = await asyncio.to_thread(writer.communicate, timeout=120)
    assert writer.returncode == 0
    return [(int(position), int(i)) for position, i in map(str.split, out.splitlines())]


async def check_nothing_lost(
    store: StateStore, acknowledged: Sequence[Sequence[Acknowledged]], count: int
) -> None:
    """Every entry is there once, where its writer was told, in its writer's order."""
    told = {
        position: (str(name), i)
        for name, theirs in enumerate(acknowledged)
        for position, i in theirs
    }
    entries = await store.read("log", limit=100_000)
    total = len(acknowledged) * count
    assert [entry.position for entry in entries] == list(range(1, total + 1))
    assert {one.position: (one.entry["by"], one.entry["i"]) for one in entries} == told
    assert set(Counter(entry.entry["by"] for entry in entries).values()) == {count}
    for theirs in acknowledged:
        assert sorted(theirs) == list(theirs)
        assert [i for _, i in theirs] == list(range(count))
    assert await store.get("counter") == {"count": total}


async def _main(name: str, count: str) -> None:
    named = os.environ["STORE"]
    store = open_store(named if "://" in named else Path(named), 60)
    await write(store, name, int(count), lambda told: print(*told, flush=True))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
