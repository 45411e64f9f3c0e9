"""Keys: who is let in. `test_every_route.py` walks over the routes."""

from __future__ import annotations

import json
import logging
import re

import httpx
import pytest

from tests.service.conftest import Service
from twinkle_jupyter.errors import ConflictError, NotFoundError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.auth import asker_of_key, create_key, list_keys, revoke_key
from twinkle_jupyter.store.records import KeyRow
from twinkle_jupyter.store.sqlite import SqliteStore


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
    assert await asker_of_key(service.store, key) == Asker("cleo")
    assert await asker_of_key(service.store, key[:-1]) is None
    await service.nobody.get("/api/v1/runs", headers={"X-API-Key": key})
    await service.nobody.get("/api/v1/runs", headers={"X-API-Key": f"{key}x"})
    assert key not in json.dumps(await service.store.list_rows(""))
    assert key not in caplog.text


async def test_keys_are_listed_without_themselves_and_revoked_at_once(service: Service) -> None:
    key = await create_key(service.store, "cleo", label="laptop")
    [known] = await list_keys(service.store, "cleo")
    assert (known.owner, known.label) == ("cleo", "laptop")
    assert re.fullmatch(r"[0-9a-f]{12}", known.key_id)
    assert {one.owner for one in await list_keys(service.store)} == {"anna", "ben", "cleo"}
    assert key[4:] not in str(await list_keys(service.store))
    for wrong in ("", "api", "%", known.key_id[::-1] + "0", key):
        with pytest.raises(NotFoundError, match="There is no API key"):
            await revoke_key(service.store, wrong)

    headers = {"X-API-Key": key}
    assert (await service.nobody.get("/api/v1/service", headers=headers)).status_code == 200
    assert await revoke_key(service.store, known.key_id) == known
    assert (await service.nobody.get("/api/v1/service", headers=headers)).status_code == 401
    assert (await service.anna.get("/api/v1/service")).status_code == 200
    assert {one.owner for one in await list_keys(service.store)} == {"anna", "ben"}


async def test_an_id_that_several_keys_have_revokes_none(service: Service) -> None:
    for digest in ("abcd1", "abcd2"):
        await service.store.put(KeyRow.key(digest.ljust(64, "0")), KeyRow("cleo").to_row())
    with pytest.raises(ConflictError, match="2 API keys begin with 'abcd'"):
        await revoke_key(service.store, "abcd")
    assert len(await list_keys(service.store, "cleo")) == 2


async def test_a_store_that_is_gone_answers_503(service: Service) -> None:
    await service.store.close()
    # Alive, and nothing is to be sent here.
    asked = [await service.nobody.get(path) for path in ("/healthz", "/readyz")]
    assert [one.status_code for one in asked] == [200, 503]
    answer = await service.anna.get("/api/v1/service")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["error"]["code"] == "service_unavailable"


async def test_the_health_check_says_nothing_but_ok(service: Service) -> None:
    answer: httpx.Response = await service.nobody.get("/healthz")
    assert answer.json() == {"status": "ok"}
    assert isinstance(service.store, SqliteStore)
