"""Each protocol, as a file: a change of it is a visible one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import not_loaded, only_tiny
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.store.sqlite import SqliteStore

#: By protocol: the tag of its routes; every route without one of these is native.
PROTOCOLS = ("native", "tinker", "openai", "twinkle")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_protocol_is_the_one_on_file(tmp_path: Path, protocol: str) -> None:
    store = SqliteStore.open(tmp_path / "store.sqlite3")
    app = create_app(
        store, ServiceConfig.load(home=tmp_path), compute=not_loaded, check_base_model=only_tiny
    )
    await store.close()
    whole = app.openapi()
    paths = {
        path: routes
        for path, routes in whole["paths"].items()
        if protocol_of(next(iter(routes.values()))["tags"]) == protocol
    }
    schema = json.dumps(
        {**whole, "paths": paths, "components": _used(whole, paths)}, indent=1, sort_keys=True
    )
    name = "openapi.json" if protocol == "native" else f"openapi-{protocol}.json"
    snapshot = Path(__file__).with_name(name)
    if not snapshot.exists():
        snapshot.write_text(schema + "\n")
        pytest.fail(f"{name} was not there and has been written: look at it, commit it")
    assert snapshot.read_text() == schema + "\n", f"changed on purpose? Remove {name}, run again"


def protocol_of(tags: list[str]) -> str:
    return next((tag for tag in tags if tag in PROTOCOLS), "native")


def _used(whole: dict[str, Any], paths: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas that these routes name, and those that these name."""
    schemas: dict[str, Any] = whole["components"]["schemas"]
    used: dict[str, Any] = {}
    text = json.dumps(paths)
    while names := {name for name in schemas if f'schemas/{name}"' in text and name not in used}:
        used |= {name: schemas[name] for name in names}
        text = json.dumps([schemas[name] for name in names])
    return {"schemas": dict(sorted(used.items()))}
