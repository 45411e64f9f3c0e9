"""A stream of events ends soon after its reader is no longer let in, and not before."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.runs.events import Progress
from twinkle_jupyter.service import auth
from twinkle_jupyter.service.auth import create_key, id_of_key, revoke_key


def test_a_stream_ends_with_the_key_that_opened_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(auth, "EVERY_S", 0.1)
    with LiveService(tmp_path) as live:
        key = live.call(create_key(live.store, "anna"))
        with httpx.Client(
            base_url=live.connection.url, headers={"X-API-Key": key}, timeout=5
        ) as http:
            config = {"adapter": "pirate", "base_model": "tiny"}
            body = {"config": config, "records": RECORDS}
            run = str(http.post("/api/v1/runs", json=body).raise_for_status().json()["run_id"])
            with http.stream("GET", f"/api/v1/runs/{run}/events") as answer:
                lines = answer.iter_lines()
                for message in ("one", "two"):
                    time.sleep(0.15)
                    live.append(run, Progress(message=message))
                    while message not in next(lines):
                        pass
                live.call(revoke_key(live.store, id_of_key(key)))
                time.sleep(0.15)
                live.append(run, Progress(message="not for you any more"))
                assert "not for you" not in "".join(lines), "and it has ended"
            assert http.get(f"/api/v1/runs/{run}").status_code == 401
    assert "Error" not in caplog.text
