"""Keys: who is let in, and that users are apart."""

from __future__ import annotations

import json
import logging
import re

import httpx
import pytest

from tests.service.conftest import Service
from twinkle_jupyter.service.auth import create_key, owner_of_key
from twinkle_jupyter.store.sqlite import SqliteStore


def _routes(service: Service) -> dict[tuple[str, str], list[str]]:
    """Return the tags of every route."""
    found = {
        (method, path): route["tags"]
        for path, methods in service.app.openapi()["paths"].items()
        for method, route in methods.items()
    }
    assert len(found) == 81
    return found


async def test_every_route_but_the_health_check_needs_a_key(service: Service) -> None:
    answers = {
        (method, path): (await service.nobody.request(method, path)).status_code
        for method, path in _routes(service)
    }
    assert answers.pop(("get", "/healthz")) == 200
    assert set(answers.values()) == {401}


async def test_what_belongs_to_another_user_is_not_found_anywhere(service: Service) -> None:
    run = await service.start()
    messages = [{"role": "user", "content": "Hi"}]
    asked = 0
    for name in (str(run["run_id"]), "pirate"):
        for (method, path), tags in _routes(service).items():
            if {"tinker", "openai"} & set(tags):
                continue  # `tests/service/tinker` asks these, whose ids are in bodies
            url = re.sub(r"\{\w+\}", name, path)
            if url == path and path != "/api/v1/samples":
                continue
            if path.endswith("/import"):
                continue  # makes an adapter of the asker's own
            bodies = {
                "/api/v1/samples": {"model": name, "messages": messages},
                "/api/v1/adapters/{name}/exports": {"folder": "/x", "format": "peft"},
            }
            asked += 1
            answer = await service.ben.request(method, url, json=bodies.get(path))
            assert answer.status_code == 404, (method, url, answer.text)
            assert answer.json()["error"]["code"] == "not_found"
    assert asked == 44
    assert (await service.ben.get("/api/v1/runs")).json() == {"runs": []}
    assert (await service.ben.get("/api/v1/adapters")).json() == {"adapters": []}
    assert (await service.ben.get("/api/v1/service")).json()["num_active_runs"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer tml-unknown"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": f"Bearer tml-{'x' * 5000}"},
        {"X-API-Key": "tml-\u00e9"},
        {"X-API-Key": "api-key"},
    ],
)
async def test_a_wrong_key_is_refused_in_a_sentence(
    service: Service, headers: dict[str, str]
) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await service.nobody.get("/api/v1/service", headers=encoded)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    error = answer.json()["error"]
    assert error["code"] == "not_allowed"
    assert re.search(r"needs an API key|does not know this API key", error["message"])


async def test_a_key_works_in_either_header(service: Service) -> None:
    key = service.anna.headers["Authorization"].removeprefix("Bearer ")
    for headers in ({"X-API-Key": key}, {"Authorization": f"bearer {key}"}):
        answer = await service.nobody.get("/api/v1/service", headers=headers)
        assert answer.status_code == 200


async def test_only_the_digest_of_a_key_is_kept_and_nothing_is_logged(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = await create_key(service.store, "cleo")
    assert re.fullmatch(r"tml-[\w-]{43}", key)
    assert await owner_of_key(service.store, key) == "cleo"
    assert await owner_of_key(service.store, key[:-1]) is None
    await service.nobody.get("/api/v1/runs", headers={"X-API-Key": key})
    await service.nobody.get("/api/v1/runs", headers={"X-API-Key": f"{key}x"})
    assert key not in json.dumps(await service.store.list_rows(""))
    assert key not in caplog.text


async def test_a_store_that_is_gone_answers_503(service: Service) -> None:
    await service.store.close()
    answer = await service.anna.get("/api/v1/service")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["error"]["code"] == "service_unavailable"


async def test_the_health_check_says_nothing_but_ok(service: Service) -> None:
    answer: httpx.Response = await service.nobody.get("/healthz")
    assert answer.json() == {"status": "ok"}
    assert isinstance(service.store, SqliteStore)
