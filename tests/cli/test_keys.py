"""`twinkle keys`, beside a store as a service has it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from twinkle_jupyter.cli.main import main
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.auth import asker_of_key
from twinkle_jupyter.store.sqlite import SqliteStore


def _asker(key: str) -> Asker | None:
    async def ask() -> Asker | None:
        store = SqliteStore.open(ServiceConfig.load().store_path)
        try:
            return await asker_of_key(store, key)
        finally:
            await store.close()

    return asyncio.run(ask())


def test_a_key_is_made_listed_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWINKLE_HOME", str(tmp_path))
    assert main(["keys", "list"]) == 0
    assert "There are no keys." in capsys.readouterr().out
    assert main(["keys", "create", "ada", "--label", "laptop [/x]"]) == 0
    key = capsys.readouterr().out.strip()
    assert key.startswith("tml-")
    assert _asker(key) == Asker("ada")
    assert main(["keys", "list", "--owner", "ada"]) == 0
    listed = capsys.readouterr().out
    assert "laptop [/x]" in listed
    assert key[4:] not in listed
    key_id = next(word for word in listed.split() if len(word) == 12 and word.isalnum())
    assert main(["keys", "revoke", "ffffffffffff"]) == 1
    assert "There is no API key" in capsys.readouterr().err
    assert main(["keys", "revoke", key_id]) == 0
    assert _asker(key) is None
    assert main(["keys", "create", "a\nb"]) == 2


def test_a_key_of_an_admin_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWINKLE_HOME", str(tmp_path))
    assert main(["keys", "create", "root", "--admin"]) == 0
    assert _asker(capsys.readouterr().out.strip()) == Asker("root", is_admin=True)
    assert main(["keys", "list"]) == 0
    assert "yes" in capsys.readouterr().out
