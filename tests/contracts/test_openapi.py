"""The native protocol, as a file: a change of it is a visible one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.conftest import not_loaded, only_tiny
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.store.sqlite import SqliteStore

SNAPSHOT = Path(__file__).with_name("openapi.json")


async def test_the_protocol_is_the_one_on_file(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "store.sqlite3")
    app = create_app(
        store, ServiceConfig.load(home=tmp_path), compute=not_loaded, check_base_model=only_tiny
    )
    await store.close()
    schema = json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(schema)
        pytest.fail(f"{SNAPSHOT.name} was not there and has been written: look at it, commit it")
    assert SNAPSHOT.read_text() == schema, f"changed on purpose? Remove {SNAPSHOT.name}, run again"
