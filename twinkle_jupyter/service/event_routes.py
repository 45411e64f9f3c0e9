"""`GET /runs/{run}/events`: a run's log, from any position, for as long as somebody reads."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.runs import find_run
from twinkle_jupyter.service.sse import HEARTBEAT, EventStream, frame
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import RunRow, ends_run

#: Seconds of silence after which a comment is sent.
HEARTBEAT_S = 10.0
_PAGE = 500
_MAX_POSITION = 2**62

_LOGGER = logging.getLogger(__name__)

router = APIRouter(tags=["runs"])


@router.get("/runs/{run}/events", response_class=EventStream, status_code=200)
async def run_events(
    run: str,
    parts: Parts,
    owner: Owner,
    after: Annotated[int, Query(ge=0, le=_MAX_POSITION)] = 0,
    follow: Annotated[bool, Query()] = True,  # noqa: FBT002 - a query parameter has no position
    last_event_id: Annotated[int | None, Header(ge=0, le=_MAX_POSITION)] = None,
) -> Response:
    """Stream the run's events. `Last-Event-ID`, which a browser sends by itself, beats `after`."""
    row = await find_run(parts.store, owner, run)
    start = last_event_id if last_event_id is not None else after
    log = RunRow.log(row.run_id)
    if start and any(ends_run(e.entry) for e in await parts.store.read(log, start - 1, limit=1)):
        # The reader has the end already; this status tells a browser not to come back.
        return Response(status_code=204)
    return EventStream(read_log(parts.store, log, start, follow=follow))


async def read_log(
    store: StateStore, log: str, after: int, *, follow: bool
) -> AsyncGenerator[bytes]:
    """Yield frames for the entries beyond `after`, and heartbeats; ends after a terminal state.

    A long log goes out many frames at a time: a panel that opens late has it in a moment.
    """
    position = after
    try:
        while True:
            entries = await store.read(log, position, _PAGE)
            if entries:
                position = entries[-1].position
                yield b"".join(frame(str(e.entry["kind"]), e.entry, e.position) for e in entries)
                if ends_run(entries[-1].entry):
                    return
                continue
            if not follow:
                return
            if not await store.wait(log, position, HEARTBEAT_S):
                yield HEARTBEAT
    except ServiceUnavailableError as error:
        # Readers come back with the position they have, and then hear why.
        _LOGGER.warning("An event stream of %s was broken off: %s", log, error)
