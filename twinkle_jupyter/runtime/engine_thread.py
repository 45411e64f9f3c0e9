"""One thread that owns an engine: everything that touches tensors runs there, in turn.

The event loop only waits. Nothing here knows what the engine does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from twinkle_jupyter.errors import ServiceUnavailableError, TwinkleError

T = TypeVar("T")
R = TypeVar("R")

#: Loading the largest model from a cold disk takes minutes.
_START_TIMEOUT_S = 1800.0

Progress = Callable[[str], None]


class EngineThread(Generic[T]):
    """Builds an engine in a thread and calls it there, first come, first served.

    Args:
        name: "trainer" or "sampler", for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"twinkle-{name}")
        self._engine: T | None = None
        self._failure: TwinkleError | None = None
        self._is_settled = asyncio.Event()

    async def start(self, build: Callable[[Progress], T], on_progress: Progress | None) -> None:
        """Build the engine; what `build` raises is raised here and to everybody who waits.

        Args:
            build: Runs in the thread; it reports on what it is doing.
            on_progress: Called on the loop's thread with one sentence without a full stop.
        """
        loop = asyncio.get_running_loop()

        def report(message: str) -> None:
            if on_progress is not None:
                loop.call_soon_threadsafe(on_progress, message)

        try:
            self._engine = await loop.run_in_executor(self._executor, build, report)
        except TwinkleError as error:
            self._failure = error
            raise
        finally:
            if self._engine is None and self._failure is None:
                self._failure = ServiceUnavailableError(f"The {self._name} did not start.")
            self._is_settled.set()

    @property
    def engine(self) -> T:
        """The engine, which must be ready; only what no plan changes may be used from here."""
        assert self._engine is not None, "asked for before it was ready"  # noqa: S101
        return self._engine

    async def get_engine(self) -> T:
        """Wait for the engine and return it.

        Raises:
            ServiceUnavailableError: It was closed, or does not become ready.
        """
        if not self._is_settled.is_set():
            try:
                await asyncio.wait_for(self._is_settled.wait(), _START_TIMEOUT_S)
            except TimeoutError as error:
                raise ServiceUnavailableError(f"The {self._name} was never started.") from error
        if self._engine is None:
            failure = self._failure or ServiceUnavailableError(f"The {self._name} is closed.")
            raise type(failure)(*failure.args)
        return self._engine

    def submit(self, function: Callable[[T], R]) -> asyncio.Future[R]:
        """Put `function(engine)` behind everything that was called before; the engine is ready.

        It has its place when this returns, whoever waits for it, and whenever.
        """
        return asyncio.get_running_loop().run_in_executor(self._executor, function, self.engine)

    async def call(self, function: Callable[[T], R]) -> R:
        """Run `function(engine)` in the thread after everything that was called before."""
        await self.get_engine()
        return await self.finish(self.submit(function))

    async def finish(self, call: asyncio.Future[R]) -> R:
        """Wait for what was submitted; to be cancelled takes it back if it has not begun."""
        # Shutting down cancels what has not begun, which is not the caller's being cancelled.
        try:
            await asyncio.wait([call])
        except asyncio.CancelledError:
            call.cancel()
            raise
        if call.cancelled():
            raise ServiceUnavailableError(f"The {self._name} is closed.")
        return call.result()

    async def close(self) -> None:
        """Let go of the engine when its last call has ended; later calls are refused."""
        self._engine = None
        self._failure = ServiceUnavailableError(f"The {self._name} is closed.")
        self._is_settled.set()
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
