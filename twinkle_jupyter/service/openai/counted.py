"""An answer that counts towards its user's quotas until it is written, whole or as a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from pydantic import JsonValue

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.service.openai.answers import Generation
from twinkle_jupyter.service.quotas import Admission

_Body = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Counted:
    """One request that was let in."""

    admission: Admission
    generations: Sequence[Generation]

    async def whole(self, answer: Coroutine[None, None, _Body]) -> _Body:
        """Return the answer, and count what was written of it."""
        try:
            return await answer
        finally:
            await self._finish()

    async def stream(self, chunks: AsyncGenerator[_Body]) -> AsyncGenerator[_Body]:
        """Pass the answer on as it is written."""
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk
        finally:
            await self._finish()

    async def _finish(self) -> None:
        # An answer is not lost over what it counts; that is let go in time.
        with suppress(ServiceUnavailableError):
            await self.admission.finish(sum(one.num_written for one in self.generations))
