"""`twinkle admin` as it is typed, with the real service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.cli.main import main
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.service.auth import create_key


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveService]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("COLUMNS", "160")
    with LiveService(tmp_path / "twinkle") as service:
        monkeypatch.setenv("TWINKLE_URL", service.connection.url)
        key = service.call(create_key(service.store, "root", is_admin=True))
        monkeypatch.setenv("TWINKLE_API_KEY", key)
        yield service


def test_an_admin_looks_limits_rests_tells_and_reads_who_did_what(
    live: LiveService, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(line: str, code: int = 0) -> str:
        assert main(["admin", *line.split("|")]) == code
        told = capsys.readouterr()
        return told.out + told.err

    with Client(live.connection) as client:
        client.start_run({"adapter": "pirate", "base_model": "tiny", "steps": 4}, RECORDS)
    assert "1 queued" in said("who")
    assert "tokens per minute 5,000" in said("limits|--group|class|tokens-per-minute=5000")
    assert "group class" in said("limits")
    assert "as configured" in said("limits|--group|class|tokens_per_minute=-")
    assert "[invalid_config]" in said("limits|tokens=5", code=2)
    assert "New disks." in said("drain|New disks.|--for|30m|--wait")
    assert main(["status"]) == 0
    assert "New disks." in capsys.readouterr().out
    overview = json.loads(said("who|--json"))
    assert overview["maintenance"]["message"] == "New disks."
    assert "New work is taken in." in said("undrain")
    assert "Exam at ten." in said("broadcast|Exam at ten.|--for|2h|--warning")
    assert "Not in [b]B12[/b] [/x]" in said("broadcast|Not in [b]B12[/b] [/x]|--for|2h")
    assert main(["status"]) == 0
    assert "Not in [b]B12[/b] [/x]" in capsys.readouterr().out
    assert said("broadcast") == ""
    audit = said("audit|--since|1h")
    for what in ("limits changed", "drain", "undrain", "broadcast ended", "run started"):
        assert what in audit
    assert json.loads(said("--json|audit|--user|anna"))["acts"][0]["what"] == "run_started"


def test_who_is_no_admin_is_told_so(
    live: LiveService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = live.call(create_key(live.store, "ben"))
    monkeypatch.setenv("TWINKLE_API_KEY", key)
    assert main(["admin", "who"]) == 1
    assert "for admins" in capsys.readouterr().err
