"""A run's log as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.client.client import connect
from twinkle_jupyter.runs.events import EvalDone, StateChanged
from twinkle_jupyter.service import event_routes


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveService]:
    with LiveService(tmp_path / "home") as service:
        yield service


@pytest.fixture
def run_id(live: LiveService) -> str:
    with connect() as client:
        return client.start_run({"adapter": "pirate"}, RECORDS).run_id


@pytest.fixture
def http(live: LiveService) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": live.connection.api_key}
    url = f"{live.connection.url}/api/v1/runs/pirate/"
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        yield client


def test_an_event_is_its_position_its_kind_and_its_entry(
    live: LiveService, http: httpx.Client, run_id: str
) -> None:
    end = StateChanged(state="finished", step=1)
    live.append(run_id, end)
    answer = http.get("events", params={"after": 1})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    data = json.dumps(end.to_entry(), separators=(",", ":"))
    assert answer.text == f"id: 2\nevent: state\ndata: {data}\n\n"


def test_the_header_of_a_browser_beats_the_query(
    live: LiveService, http: httpx.Client, run_id: str
) -> None:
    live.append(run_id, EvalDone(step=1, loss=1), StateChanged(state="stopped", step=1))
    answer = http.get("events?after=0", headers={"Last-Event-ID": "2"})
    assert [line for line in answer.text.split("\n") if line.startswith("id:")] == ["id: 3"]
    over = http.get("events", headers={"Last-Event-ID": "3"})
    assert (over.status_code, over.text) == (204, "")


def test_silence_is_filled_and_a_reader_that_left_is_not_waited_for(
    live: LiveService, http: httpx.Client, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_routes, "HEARTBEAT_S", 0.05)

    async def num_streams() -> int:
        return sum(task.get_name().endswith("/events") for task in asyncio.all_tasks())

    async def wait_until_none() -> int:
        for _ in range(200):
            if not await num_streams():
                return 0
            await asyncio.sleep(0.02)
        return await num_streams()

    with http.stream("GET", "events") as answer:
        lines = (line for line in answer.iter_lines() if line.startswith(":"))
        assert [next(lines), next(lines)] == [": still here"] * 2
        assert live.call(num_streams()) == 2  # one sends, one listens for the reader's end
    assert live.call(wait_until_none()) == 0


def test_a_service_that_stops_does_not_wait_for_its_readers(
    live: LiveService, http: httpx.Client, run_id: str
) -> None:
    with http.stream("GET", "events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "id: 1"
        live.__exit__()  # joins within 30 s, of which uvicorn gives open answers one
        with pytest.raises(httpx.RemoteProtocolError):
            list(lines)
