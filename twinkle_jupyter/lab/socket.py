"""What the extension's websockets share: who may open one, its one task, its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler

from twinkle_jupyter.lab.handlers import AUTH_RESOURCE
from twinkle_jupyter.lab.upstream import Upstream


class TwinkleSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Frames of JSON to a browser, by one task that ends with the socket."""

    auth_resource = AUTH_RESOURCE
    _feed: asyncio.Task[None] | None = None

    @property
    def upstream(self) -> Upstream:
        """The way to the service."""
        found: Upstream = self.settings["twinkle_upstream"]
        return found

    @ws_authenticated
    async def get(self, *args: str, **kwargs: str) -> None:
        """Open the socket for users who may read."""
        allowed = self.authorizer.is_authorized(self, self.current_user, "read", AUTH_RESOURCE)
        if not await ensure_async(allowed):
            raise HTTPError(403)
        self.read_query()
        await super().get(*args, **kwargs)

    def read_query(self) -> None:
        """Read what the browser asks for; raises `HTTPError` for what it cannot be."""

    def feed(self, work: Coroutine[None, None, None], name: str) -> None:
        """Feed the socket with a task of this name until it is closed."""
        self._feed = self.upstream.own(work, name)

    def on_message(self, message: str | bytes) -> None:
        """Ignore what the browser says: commands go by POST."""

    def on_close(self) -> None:
        """End the feed."""
        super().on_close()
        if self._feed is not None:
            self._feed.cancel()

    async def send(self, frame: Mapping[str, object]) -> None:
        """Send a frame; returns when the browser has taken it."""
        await self.write_message(json.dumps(frame))
