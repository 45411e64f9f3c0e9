"""The websocket that feeds a panel: the events of one run, through restarts of the service.

One task a socket reads the service's event stream and sends each event as a frame, at the pace at
which the browser takes them. Never repeats and never skips: it goes on after the last id sent.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Literal, cast

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from twinkle_jupyter.client.sse import FrameParser
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.lab.handlers import AUTH_RESOURCE
from twinkle_jupyter.lab.upstream import CONNECT_S, Upstream, authorization
from twinkle_jupyter.store.records import TERMINAL_STATES, ends_run

if TYPE_CHECKING:
    import httpx

    from twinkle_jupyter.client.discovery import Connection

#: How often a service that is away is looked for, in seconds.
RETRY_S = 0.25
#: The service sends a comment every 10 s: a longer silence means that it hangs.
SILENCE_S = 25.0

Reading = Literal["over", "refused", "lost"]


class RunEventsSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """`runs/{run}/events?after=N`, as frames of JSON."""

    auth_resource = AUTH_RESOURCE
    _feed: asyncio.Task[None] | None = None
    _after = 0
    _state = ""

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
        after = self.get_query_argument("after", "0")
        if not after.isdecimal():
            raise HTTPError(400, f"after={after!r} is not a number")
        self._after = int(after)
        await super().get(*args, **kwargs)

    def open(self, run: str) -> None:
        """Begin to feed the socket."""
        super().open()
        self._feed = self.upstream.own(self._feed_until_over(run), f"twinkle-socket-{run}")

    def on_message(self, message: str | bytes) -> None:
        """Ignore what the browser says: commands go by POST."""

    def on_close(self) -> None:
        """End the feed."""
        super().on_close()
        if self._feed is not None:
            self._feed.cancel()

    async def _feed_until_over(self, run: str) -> None:
        try:
            while (reading := await self._read_once(run)) == "lost":
                await self._say_connection("waiting", "The service is away; the run is safe")
                await asyncio.sleep(RETRY_S)
            if reading == "over":
                await self._send({"type": "end"})
            self.close(1000)
        except WebSocketClosedError:
            return
        except TwinkleError as error:
            await self._send({"type": "error", "error": error.as_fields()})
            self.close(1000)

    async def _read_once(self, run: str) -> Reading:
        """Read the stream until it ends, for whatever reason."""
        import httpx

        connection = self.upstream.connection()
        if connection is None:
            return "lost"
        request = self.upstream.client.build_request(
            "GET",
            f"{connection.url}/api/v1/runs/{run}/events",
            params={"after": self._after},
            headers=authorization(connection),
            timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_S),
        )
        try:
            answer = await self.upstream.open(request)
            try:
                reading = await self._read_answer(answer)
            finally:
                await answer.aclose()
            if reading is None:
                return "over" if await self._is_over(connection, run) else "lost"
        except httpx.TransportError:
            return "lost"
        else:
            return reading

    async def _read_answer(self, answer: httpx.Response) -> Reading | None:
        """Send on what one answer brings; None where it ends without a last event."""
        if answer.status_code in {400, 401, 403, 404, 422}:
            await answer.aread()
            await self._send({"type": "error", "error": _error_of(answer)})
            return "refused"
        if answer.status_code == 204:  # the browser has the last event
            return "over"
        if not answer.is_success:
            return "lost"
        await self._say_connection("live", "")
        parser = FrameParser()
        async for line in answer.aiter_lines():
            frame = parser.feed(line)
            if frame is None:
                continue
            position, entry = int(frame.event_id), json.loads(frame.data)
            await self._send({"type": "event", "id": position, "event": entry})
            self._after = position
            if ends_run(entry):
                return "over"
        return None

    async def _is_over(self, connection: Connection, run: str) -> bool:
        """Tell a stream that ended because its run is over from one cut off by the service."""
        answer = await self.upstream.client.get(
            f"{connection.url}/api/v1/runs/{run}", headers=authorization(connection)
        )
        if not answer.is_success:
            return False
        body = cast("dict[str, object]", answer.json())
        return body["state"] in TERMINAL_STATES and body["last_event_id"] == self._after

    async def _say_connection(self, state: Literal["live", "waiting"], message: str) -> None:
        if state != self._state:
            self._state = state
            await self._send({"type": "connection", "state": state, "message": message})

    async def _send(self, frame: dict[str, object]) -> None:
        await self.write_message(json.dumps(frame))


def _error_of(answer: httpx.Response) -> object:
    """Return the inner error body, also of an answer that has none."""
    try:
        return answer.json()["error"]
    except (ValueError, KeyError):
        message = f"The service answered {answer.status_code}."
        return {"code": "internal_error", "message": message, "hint": ""}
