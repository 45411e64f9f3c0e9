"""The service in numbers: the same from every replica, by one leader at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.service.gauges import take_gauges
from twinkle_jupyter.store.records import BaseModelRow


@pytest.fixture
def live(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LiveService]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    with LiveService(tmp_path / "twinkle", tiny_model) as service:
        row = BaseModelRow("tiny", "ready", folder=str(tiny_model))
        service.call(service.store.put(BaseModelRow.key("tiny"), row.to_row()))
        yield service


def test_numbers_are_the_newest_leaders_and_told_to_admins(live: LiveService) -> None:
    key = live.call(create_key(live.store, "root", is_admin=True))
    parts, url = live.app.state.parts, f"{live.connection.url}/metrics"

    def read() -> dict[str, float]:
        answer = httpx.get(url, headers={"X-API-Key": key})
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
        found = [re.fullmatch(r"(\w+(?:\{\w+=\"[^\"]*\"\})?) (\S+)", line) for line in lines]
        numbers = {one[1]: float(one[2]) for one in found if one is not None}
        assert len(numbers) == len(lines), "each is there once"
        return numbers

    assert httpx.get(url, headers={"X-API-Key": live.connection.api_key}).status_code == 403
    assert read() == {}, "nobody has found any"
    live.call(take_gauges(parts, 1))
    before = read()
    with Client(live.connection) as client:
        client.start_run({"adapter": "pirate", "base_model": "tiny", "steps": 4}, RECORDS)
    live.call(take_gauges(parts, 2))
    now = read()
    assert (before["twinkle_leader_epoch"], now["twinkle_leader_epoch"]) == (1, 2)
    assert 'twinkle_runs{state="queued"}' not in before
    assert now['twinkle_runs{state="queued"}'] == 1
    assert now['twinkle_slots{base_model="tiny"}'] == 64
    assert now["twinkle_active_users"] == 2
    # One that was leader before, and was asleep since, changes nothing.
    live.call(take_gauges(parts, 1))
    assert read() == now
