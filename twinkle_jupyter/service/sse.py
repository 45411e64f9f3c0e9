"""Server-sent events: frames, and an answer that ends its source the moment the client leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: A frame that readers skip; it keeps proxies and time-outs content.
HEARTBEAT = b": still here\n\n"


def frame(event: str, data: Mapping[str, object], event_id: int | None = None) -> bytes:
    """Write one event; `event_id` is what a reader sends back to go on from here."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    text = json.dumps(data, separators=(",", ":"))
    return f"{head}event: {event}\ndata: {text}\n\n".encode()


class EventStream(Response):
    """Sends frames as they come; closes their source when all are sent or the client left."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until one side ends it."""
        async with aclosing(self._frames):
            sender = asyncio.create_task(self._send_all(send), name=f"events {scope['path']}")
            leaving = asyncio.create_task(wait_until_left(receive), name=f"left {scope['path']}")
            try:
                await asyncio.wait((sender, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sender, leaving):
                    task.cancel()
                ends = await asyncio.gather(sender, leaving, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, OSError):
                raise end

    async def _send_all(self, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        async for part in self._frames:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def wait_until_left(receive: Receive) -> None:
    """Return when the client of a request whose body was read is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
