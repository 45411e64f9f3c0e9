"""The websocket that feeds a panel: the events of one run, through restarts of the service.

One task a socket reads the service's event stream and sends each event as a frame, at the pace at
which the browser takes them. Never repeats and never skips: it goes on after the last id sent.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Literal, cast

from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError

from twinkle_jupyter.client.sse import FrameParser
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.lab.socket import TwinkleSocket
from twinkle_jupyter.lab.upstream import CONNECT_S, authorization
from twinkle_jupyter.store.records import TERMINAL_STATES, ends_run

if TYPE_CHECKING:
    import httpx

    from twinkle_jupyter.client.discovery import Connection

#: How often a service that is away is looked for, in seconds.
RETRY_S = 0.25
#: The service sends a comment every 10 s: a longer silence means that it hangs.
SILENCE_S = 25.0

Reading = Literal["over", "refused", "lost"]


class RunEventsSocket(TwinkleSocket):
    """`runs/{run}/events?after=N`, as frames of JSON."""

    _after = 0
    _state = ""

    def read_query(self) -> None:
        """Note after which event to begin."""
        after = self.get_query_argument("after", "0")
        if not after.isdecimal():
            raise HTTPError(400, f"after={after!r} is not a number")
        self._after = int(after)

    def open(self, run: str) -> None:
        """Begin to feed the socket."""
        super().open()
        self.feed(self._feed_until_over(run), f"twinkle-socket-{run}")

    async def _feed_until_over(self, run: str) -> None:
        try:
            while (reading := await self._read_once(run)) == "lost":
                await self._say_connection("waiting", "The service is away; the run is safe")
                await asyncio.sleep(RETRY_S)
            if reading == "over":
                await self.send({"type": "end"})
            self.close(1000)
        except WebSocketClosedError:
            return
        except TwinkleError as error:
            await self.send({"type": "error", "error": error.as_fields()})
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
            if (said := _error_of(answer)) is None:
                return "lost"  # not the service: a proxy, while there is none behind it
            await self.send({"type": "error", "error": said})
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
            await self.send({"type": "event", "id": position, "event": entry})
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
            await self.send({"type": "connection", "state": state, "message": message})


def _error_of(answer: httpx.Response) -> object:
    """Return the inner error body; None of an answer that has none."""
    try:
        return answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return None
