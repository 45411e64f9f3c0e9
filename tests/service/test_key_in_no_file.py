"""After a session over every protocol, an API key is where it is meant to be and nowhere else."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest

from tests.client.live_service import LiveService
from tests.service.in_thread_files import InThread
from tests.service.one_of_everything import make_belongings
from twinkle_jupyter.client.discovery import connection_path
from twinkle_jupyter.telemetry import log_to_file


def test_a_key_is_in_no_log_row_or_artifact(tmp_path: Path, tiny_model: Path) -> None:
    home = tmp_path / "twinkle"
    handlers, level = logging.root.handlers[:], logging.root.level
    log_to_file(home / "service.log", "debug")
    try:
        with LiveService(home, tiny_model, InThread()) as live:
            key, url = live.connection.api_key, live.connection.url
            assert connection_path().stat().st_mode & 0o777 == 0o600
            with httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60) as http:
                make_belongings(live, http)
                _make_mistakes(http, key)
                live.call(live.store.put("run/broken", {"no": "such fields"}))
                assert http.get("/api/v1/runs/broken").status_code == 500
    finally:
        logging.root.handlers[0].close()
        logging.root.handlers[:], logging.root.level = handlers, level
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"service.log", "store.sqlite3", "adapter_model.safetensors"} <= {f.name for f in files}
    assert "error_" in (home / "service.log").read_text()
    assert [path for path in files if key.encode() in path.read_bytes()] == []


def _make_mistakes(http: httpx.Client, key: str) -> None:
    """Send the key where it is right, to requests that fail in each way there is."""
    chat = {"model": "nothing", "messages": [{"role": "user", "content": "Hi"}]}
    for headers in ({}, {"Authorization": f"Bearer {key}"}, {"Authorization": key}):
        http.get("/api/v1/runs/nothing", headers=headers)
        http.get("/nowhere", headers=headers)
        http.post("/api/v1/runs", content=b"{", headers=headers)
        http.post("/v1/chat/completions", json=chat, headers=headers)
        http.post("/api/v1/get_info", json={"model_id": "nothing"}, headers=headers)
    assert http.get("/healthz", headers={"X-API-Key": f"{key}x"}).status_code == 200
    assert http.get("/api/v1/runs", headers={"X-API-Key": f"{key}x"}).status_code == 401


@pytest.fixture(autouse=True)
def own_connection_file(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one file that holds the key lies outside of what is searched."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
