"""The websocket that feeds a sidebar: first everything, then what has changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import cast

from tornado.websocket import WebSocketClosedError

from twinkle_jupyter.lab.overview_watch import OverviewBody, OverviewWatch, Watched
from twinkle_jupyter.lab.socket import TwinkleSocket

#: Between two frames of one socket, in seconds.
FRAME_S = 0.4


class OverviewSocket(TwinkleSocket):
    """`overview`: frames of `{"type": "overview", "service", "rest", "runs", "order"}`.

    `runs` has those that are new or changed, `order` the ids of all; `rest`, which has what else
    there is, and `order` are left out where they have not changed. While the service is away there
    is `service` alone.
    """

    @property
    def watch(self) -> OverviewWatch:
        """What is watched for all sockets."""
        found: OverviewWatch = self.settings["twinkle_overview"]
        return found

    def open(self) -> None:
        """Begin to feed the socket."""
        super().open()
        self.feed(self._tell_news(), "twinkle-overview-socket")

    async def _tell_news(self) -> None:
        changes, number = Changes(), 0
        with self.watch.listening():
            while True:
                watched = await self.watch.wait(number)
                number = watched.number
                try:
                    await self.send(
                        {
                            **changes.since(watched),
                            "can_start": not self.upstream.is_elsewhere,
                            "is_admin": watched.is_admin,
                        }
                    )
                except WebSocketClosedError:
                    return
                # The browser takes its time, or others do: what comes meanwhile is told at once.
                await asyncio.sleep(FRAME_S)


class Changes:
    """What one browser has not been told yet."""

    def __init__(self) -> None:
        self._runs: dict[str, str] = {}
        self._order: list[str] | None = None
        self._rest = ""

    def since(self, watched: Watched) -> dict[str, object]:
        """Return the next frame, and take it for told."""
        frame: dict[str, object] = {"type": "overview", "service": dict(watched.service)}
        if watched.overview is not None:
            frame |= self._differences(watched.overview)
        return frame

    def _differences(self, overview: OverviewBody) -> dict[str, object]:
        runs = cast("list[Mapping[str, object]]", overview["runs"])
        texts = {str(run["run_id"]): json.dumps(run) for run in runs}
        frame: dict[str, object] = {
            "runs": [run for run in runs if self._is_new(str(run["run_id"]), texts)]
        }
        if (order := list(texts)) != self._order:
            frame["order"] = order
        rest = {name: value for name, value in overview.items() if name not in {"runs", "tag"}}
        if (text := json.dumps(rest)) != self._rest:
            frame["rest"] = rest
        self._runs, self._order, self._rest = texts, order, text
        return frame

    def _is_new(self, run_id: str, texts: Mapping[str, str]) -> bool:
        return self._runs.get(run_id) != texts[run_id]
