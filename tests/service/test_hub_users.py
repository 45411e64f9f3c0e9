"""Users of a JupyterHub: let in by their Hub tokens, kept apart from others, and gone with them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tests.service.conftest import RECORDS, not_loaded, only_tiny
from tests.service.jupyterhub_stand_in import ADMIN, SERVICE_TOKEN, USE, JupyterHubStandIn
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import ForbiddenError, ServiceUnavailableError
from twinkle_jupyter.service.admin_notices import drain
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.service.departed_users import DepartedUsers
from twinkle_jupyter.service.hub_users import HubUsers
from twinkle_jupyter.service.own_service import is_shared
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.runs import list_runs
from twinkle_jupyter.service.still_allowed import NoLongerAllowedError, StillAllowed
from twinkle_jupyter.store.client_rows import SessionRow
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.store.sqlite import SqliteStore
from twinkle_jupyter.wire.admin import DrainBody


@pytest.fixture
def hub() -> Iterator[JupyterHubStandIn]:
    with JupyterHubStandIn(
        users={"anna": ["class"], "ben": [], "local": []},
        tokens={
            "of-anna": ("anna", [USE, ADMIN]),
            "of-ben": ("ben", [USE]),
            "of-local": ("local", [USE]),
            "without-scope": ("ben", ["self"]),
        },
    ) as hub:
        yield hub


@dataclass(frozen=True)
class HubService:
    """The application beside that Hub."""

    app: FastAPI
    store: SqliteStore
    hub_users: HubUsers

    async def ask(
        self, method: str, path: str, token: str = "", *, url: str = "http://s", body: object = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=url, headers=headers) as client:
            return await client.request(method, path, json=body)

    async def status(self, token: str) -> int:
        return (await self.ask("GET", "/api/v1/runs", token)).status_code

    async def start(self, token: str, adapter: str = "pirate") -> httpx.Response:
        config = {"adapter": adapter, "base_model": "tiny"}
        body = {"config": config, "records": RECORDS}
        return await self.ask("POST", "/api/v1/runs", token, body=body)


@pytest.fixture
async def beside(hub: JupyterHubStandIn, tmp_path: Path) -> AsyncIterator[HubService]:
    section = {
        "api_url": hub.url,
        "api_token": SERVICE_TOKEN,
        "cache_s": 0.4,
        "keys_per_user": 2,
        "grace_days": 0,
    }
    config = ServiceConfig.load(
        home=tmp_path,
        base_model="tiny",
        hub=section,
        http={"prefix": "/services/twinkle/"},
        limits={"groups": {"class": {"adapters": 1}}},
    )
    async with AsyncExitStack() as stack:
        store = SqliteStore.open(config.store_path)
        stack.push_async_callback(store.close)
        app = create_app(store, config, compute=not_loaded, check_base_model=only_tiny)
        users: HubUsers = app.state.hub
        stack.push_async_callback(users.close)
        yield HubService(app, store, users)


async def test_a_user_is_whom_the_hub_says_and_nobody_with_a_key(
    beside: HubService, hub: JupyterHubStandIn
) -> None:
    users = beside.hub_users
    anna = await users.asker_of_token("of-anna")
    assert anna == Asker("hub:anna", frozenset({"class"}), is_admin=True, may_make_keys=True)
    assert await users.asker_of_token("of-ben") == Asker("hub:ben", may_make_keys=True)
    # The service's own user is called so, too, and is somebody else.
    local = await create_key(beside.store, "local")
    assert (await beside.start(local)).status_code == 201
    assert (await beside.ask("GET", "/api/v1/runs", "of-local")).json()["runs"] == []
    assert await is_shared(beside.app.state.parts, "local"), "no folder is taken from a request"
    for scheme in ("token", "Bearer"):
        header = {"Authorization": f"{scheme} of-ben", "X-Forwarded-User": "anna"}
        transport = httpx.ASGITransport(beside.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
            assert (await client.get("/api/v1/runs", headers=header)).status_code == 200


async def test_who_is_not_let_in_is_told_in_json_and_no_token_is_logged(
    beside: HubService, hub: JupyterHubStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    expected = {"": 401, "nonsense": 401, "a b": 401, "x" * 5000: 401, "tml-nonsense": 401}
    expected |= {"without-scope": 403, SERVICE_TOKEN: 403, "of-ben": 200}
    for token, status in expected.items():
        answer = await beside.ask("GET", "/api/v1/runs", token)
        assert answer.status_code == status, token
        assert answer.headers["content-type"] == "application/json"
    assert hub.asked["user"] == 4, "neither an API key nor what can be no token is asked about"
    assert "custom:twinkle:use" in (await beside.ask("GET", "/v1/models", "without-scope")).text
    assert not [token for token in expected if token and token in caplog.text]
    assert not [token for token in hub.tokens if token in str(vars(beside.hub_users._answers))]


async def test_everything_is_found_below_the_prefix_too(beside: HubService) -> None:
    expected = {"/services/twinkle/healthz": 200, "/healthz": 200, "/services/twinkle/": 401}
    for path, status in {**expected, "/services/twinkle": 401}.items():
        assert (await beside.ask("GET", path)).status_code == status
    assert (await beside.ask("GET", "/services/twinkle/api/v1/runs", "of-ben")).is_success
    assert (await beside.ask("GET", "/services/twinkler/healthz", "of-ben")).status_code == 404
    await drain(beside.store, "root", DrainBody(message="Disks."))
    for number in range(3):  # what stands before the routes sees the path that they are found by
        answer = await beside.ask("POST", f"{'/services/twinkle' * number}/api/v1/runs", "of-ben")
        assert answer.status_code == 503, number


async def test_a_revoked_token_is_refused_within_the_time_and_a_hub_that_is_down_refuses_nobody(
    beside: HubService, hub: JupyterHubStandIn
) -> None:
    assert await beside.status("of-anna") == 200
    del hub.tokens["of-anna"]
    began = time.monotonic()
    while await beside.status("of-anna") == 200:
        assert time.monotonic() - began < 1, "it is still let in"
        await asyncio.sleep(0.02)
    assert await beside.status("of-ben") == 200
    hub.broken = 503
    assert await beside.status("of-ben") == 200
    await asyncio.sleep(0.45)
    for broken in (503, 404, 403, 401, 200, 302):
        hub.broken = broken
        answer = await beside.ask("GET", "/api/v1/runs", "of-ben")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), answer.text
    hub.broken = 0
    assert await beside.status("of-ben") == 200


async def test_a_stream_ends_with_the_right_to_it(beside: HubService) -> None:
    sent: list[object] = []
    refusals: list[Exception] = [ServiceUnavailableError("down"), ForbiddenError("no longer")]

    async def send(message: object) -> None:
        sent.append(message)

    async def check() -> None:
        raise refusals.pop(0)

    answer = StillAllowed(send, check, 0.0)
    part = {"type": "http.response.body", "body": b"x", "more_body": True}
    await answer({"type": "http.response.start"})
    await answer(part)
    with pytest.raises(NoLongerAllowedError):
        await answer(part)
    assert answer.has_ended
    assert [message.get("more_body") for message in sent] == [None, True, False]  # type: ignore[attr-defined]


async def test_a_users_keys_are_theirs_few_and_as_good_as_they_are(
    beside: HubService, hub: JupyterHubStandIn
) -> None:
    async def make(token: str) -> httpx.Response:
        return await beside.ask("POST", "/api/v1/keys", token, body={"label": "laptop"})

    made = await asyncio.gather(*(make("of-ben") for _ in range(4)))
    assert sorted(one.status_code for one in made) == [201, 201, 429, 429]
    key = next(one.json()["key"] for one in made if one.status_code == 201)
    assert (await make(key)).status_code == 403, "a stolen key makes no further one"
    assert (await beside.start(key)).status_code == 201
    [run] = (await beside.ask("GET", "/api/v1/runs", "of-ben")).json()["runs"]
    assert run["adapter"] == "pirate"
    listed = (await beside.ask("GET", "/api/v1/keys", key)).json()["keys"]
    assert [one["label"] for one in listed] == ["laptop", "laptop"]
    assert key not in json.dumps(listed)
    first = f"/api/v1/keys/{listed[0]['key_id']}"
    assert (await beside.ask("DELETE", first, "of-anna")).status_code == 404
    assert (await beside.ask("DELETE", first, "of-ben")).status_code == 204
    assert (await make("of-ben")).status_code == 201, "there is room again"
    # An admin of the Hub has no admin's key by this.
    of_anna = (await make("of-anna")).json()["key"]
    gate = await beside.hub_users.asker_of_owner(Asker("hub:anna"))
    assert gate == Asker("hub:anna", frozenset({"class"}))
    assert await beside.status(of_anna) == 200
    del hub.users["anna"]
    await asyncio.sleep(0.45)
    assert await beside.status(of_anna) == 401


async def test_a_group_has_its_own_limits(beside: HubService) -> None:
    assert (await beside.start("of-anna", "one")).status_code == 201
    assert (await beside.start("of-anna", "two")).status_code == 429
    for name in ("one", "two"):
        assert (await beside.start("of-ben", name)).status_code == 201


async def _owners_of_runs(store: SqliteStore) -> set[str]:
    return {RunRow.from_row(row).owner for _, row in await store.list_rows(RunRow.key(""))}


async def _all_over(store: SqliteStore, owner: str) -> None:
    for run in await list_runs(store, owner):

        def end(row: Row | None) -> Row:
            return RunRow.from_row(row or {}).changed(state="stopped").to_row()

        await store.update(RunRow.key(run.run_id), end)


async def test_what_a_deleted_user_leaves_is_removed_only_when_the_hub_is_sure(
    beside: HubService, hub: JupyterHubStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    store, parts = beside.store, beside.app.state.parts
    local = await create_key(store, "anna")  # of the same name, and nobody of the Hub
    for token in (local, "of-anna", "of-ben"):
        assert (await beside.start(token)).status_code == 201
        await beside.ask("POST", "/api/v1/create_session", token, body={})
    of_anna = (await beside.ask("POST", "/api/v1/keys", "of-anna", body={})).json()["key"]
    [run] = await list_runs(store, "hub:anna")
    folder = parts.config.run_folder(run.run_id)
    departed = DepartedUsers(parts, beside.hub_users.api)
    await departed.look()
    everybody = {"anna", "hub:anna", "hub:ben"}
    assert await _owners_of_runs(store) == everybody
    users = dict(hub.users)
    del hub.users["anna"]
    # In doubt, nothing is done.
    for doubt in ({"broken": 503}, {"num_cut": 1}, {"service_scopes": ["list:users!group=x"]}):
        before = {name: getattr(hub, name) for name in doubt}
        vars(hub).update(doubt)
        with pytest.raises((ServiceUnavailableError, ForbiddenError)):
            await departed.look()
        vars(hub).update(before)
    hub.users = {}
    await departed.look()
    assert "no users at all" in caplog.text
    assert not await store.list_rows("departed/")
    hub.users = {name: groups for name, groups in users.items() if name != "anna"}
    # Her run has to end first, and is told to.
    await departed.look()
    assert (await list_runs(store, "hub:anna"))[0].wanted == "stopped"
    assert folder.exists()
    await _all_over(store, "hub:anna")
    await departed.look()
    assert await _owners_of_runs(store) == {"anna", "hub:ben"}
    assert not folder.exists()
    assert await beside.status(of_anna) == 401
    assert await beside.status(local) == 200
    left = [key for key, _ in await store.list_rows("") if "hub%3Aanna" in key]
    assert left == []
    assert len(await store.list_rows(SessionRow.PREFIX)) == 2


async def test_who_comes_back_in_time_has_everything(
    beside: HubService, hub: JupyterHubStandIn
) -> None:
    parts: ServiceParts = beside.app.state.parts
    section = parts.config.hub.model_copy(update={"grace_days": 1.0})
    config = parts.config.model_copy(update={"hub": section})
    patient = DepartedUsers(replace(parts, config=config), beside.hub_users.api)
    assert (await beside.start("of-ben")).status_code == 201
    groups = hub.users.pop("ben")
    for _ in range(2):
        await patient.look()
    assert len(await beside.store.list_rows("departed/")) == 1
    hub.users["ben"] = groups
    await patient.look()
    assert not await beside.store.list_rows("departed/")
    assert await _owners_of_runs(beside.store) == {"hub:ben"}
