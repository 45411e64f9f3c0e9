"""A sampler's loop as an actor offers it: loaded when it is first asked, streams ended by key.

A stream that crosses a process border cannot be closed from the other side: it has a key, by which
another call ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import ComputeStatus
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta, SampleRequest

if TYPE_CHECKING:
    from twinkle_jupyter.runtime.sample_loop import SampleLoop
    from twinkle_jupyter.runtime.vllm_loop import VllmLoop


class SamplerShell:
    """What an actor does with a loop that is not started yet.

    Args:
        loop: The sampler's.
        prepare: Awaited before the loop is started; None where it needs nothing.
    """

    def __init__(
        self, loop: SampleLoop | VllmLoop, prepare: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._loop = loop
        self._prepare = prepare
        self._loading = asyncio.Lock()
        self._is_loaded = False
        #: Keys of streams that were not cancelled.
        self._waiting: set[str] = set()

    async def start(self) -> None:
        """Load the base model unless it is loaded; every call does, since Ray restarts actors."""
        async with self._loading:
            if not self._is_loaded:
                if self._prepare is not None:
                    await self._prepare()
                await self._loop.start()
                self._is_loaded = True

    async def put_snapshot(self, snapshot: AdapterSnapshot) -> int:
        """Hold these weights, the adapter's default from now on; return their version."""
        await self.start()
        await self._loop.put_snapshot(snapshot)
        return snapshot.version

    async def sample(self, key: str, request: SampleRequest) -> AsyncGenerator[SampleDelta]:
        """Stream the answer; `cancel(key)` ends it at once."""
        self._waiting.add(key)
        try:
            await self.start()
            if key not in self._waiting:
                return
            async with aclosing(self._loop.sample(request, key)) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            self._waiting.discard(key)

    async def cancel(self, key: str) -> None:
        """End the stream of this key if it is going on."""
        self._waiting.discard(key)
        self._loop.cancel(key)

    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Forget all versions."""
        await self.start()
        await self._loop.remove_adapter(adapter_id)

    async def status(self) -> ComputeStatus:
        """Answer when the base model is loaded."""
        await self.start()
        return await self._loop.status()
