"""A run's events for `async for`, and its end for `await`.

A thread reads the stream; the loop wakes four times a second meanwhile, since an interrupt reaches
a kernel whose loop sleeps only when it wakes. Cancelling ends the reading, never the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinkle_jupyter.client.event_stream import EventStream, RunEventRecord

TICK_S = 0.25


async def read_events(stream: EventStream) -> AsyncGenerator[RunEventRecord, None]:
    """Yield the events of a stream, one thread call each: a slow reader slows the stream."""
    iterator = iter(stream)
    try:
        while (event := await _awake(iterator)) is not None:
            yield event
    finally:
        # Also wakes the thread, should it still read.
        stream.stop()


async def _awake(iterator: Iterator[RunEventRecord]) -> RunEventRecord | None:
    task = asyncio.create_task(asyncio.to_thread(next, iterator, None))
    while not task.done():
        await asyncio.wait({task}, timeout=TICK_S)
    return task.result()
