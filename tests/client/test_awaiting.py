"""`await run` and `async for event in run`, with the real service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.live_service import LiveService
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.runs.events import StateChanged


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveService]:
    with LiveService(tmp_path) as service:
        yield service


@pytest.fixture
def client(live: LiveService) -> Iterator[Client]:
    with Client(live.connection) as client:
        yield client


ROWS = [{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Arr"}]}]


@pytest.mark.parametrize("state", ["finished", "failed"])
async def test_a_run_is_awaited_and_gives_its_events(
    live: LiveService, client: Client, state: str
) -> None:
    body = await asyncio.to_thread(client.start_run, {"adapter": "pirate"}, ROWS)
    run = await asyncio.to_thread(client.hold, "pirate")
    ended = asyncio.create_task(_await(run))
    await asyncio.sleep(0.1)
    assert not ended.done()

    event = StateChanged(state=state, step=2, reason="Out of memory.")  # type: ignore[arg-type]
    await asyncio.to_thread(live.append, body.run_id, event)

    if state == "failed":
        with pytest.raises(RunFailedError, match="Out of memory"):
            await ended
    else:
        assert await ended == "finished"
    kinds = [one.entry["kind"] async for one in run]
    assert kinds[-1] == "state"


async def test_cancelling_leaves_no_thread_and_the_run_as_it_is(client: Client) -> None:
    client.start_run({"adapter": "pirate"}, ROWS)
    run = client.hold("pirate")
    waiting = asyncio.create_task(_await(run))
    await asyncio.sleep(0.3)
    waiting.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    # It joins the threads of this loop: none still reads.
    await asyncio.get_running_loop().shutdown_default_executor()
    assert time.monotonic() - began < 2
    assert run._client.run("pirate").wanted == "running"


async def _await(run: object) -> object:
    return await run  # type: ignore[misc]
