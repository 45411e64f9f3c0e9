"""What admins see and do, and that nobody else does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from tests.service.conftest import RECORDS, Service, not_loaded, only_tiny
from tests.service.test_every_route import routes_of_app
from twinkle_jupyter.service.admin_routes import router
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.service.maintenance import WORK
from twinkle_jupyter.store.audit import cut_acts, note_act, read_acts
from twinkle_jupyter.store.interface import Row

#: What is answered during maintenance, too: it steers, ends, reads, or only writes a row.
ANSWERED = {
    *(f"POST /api/v1/runs/{{run}}/{verb}" for verb in (
        "set", "pause", "resume", "stop", "checkpoints",
    )),
    *("POST /api/v1/sweeps/{sweep}/prune", "POST /api/v1/sweeps/{sweep}/stop"),
    *("POST /api/v1/tokens", "POST /api/v1/telemetry", "POST /api/v1/get_info"),
    "POST /api/v1/keys",
    *("POST /api/v1/client/config", "POST /api/v1/client/dynamic_config"),
    *("POST /api/v1/create_session", "POST /api/v1/session_heartbeat"),
    *("POST /api/v1/unload_model", "POST /api/v1/retrieve_future", "POST /api/v1/cancel_future"),
    *("POST /api/v1/retrieve_futures", "POST /api/v1/weights_info"),
    *("POST /api/v1/create_sampling_session", "POST /api/v1/sessions/{session_id}/finish"),
    "POST /api/v1/training_runs/{model_id}/checkpoints/{kind}/{name}/publish",
}  # fmt: skip


def client_of(service: Service, key: str, path: str = "") -> httpx.AsyncClient:
    """Return whose key it is."""
    transport = httpx.ASGITransport(service.app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=transport, base_url=f"http://service{path}", headers=headers)


def key_of(client: httpx.AsyncClient) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture
async def root(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's client."""
    key = await create_key(service.store, "root", is_admin=True)
    async with client_of(service, key, "/api/v1") as client:
        yield client


async def test_every_admin_route_is_forbidden_to_others(service: Service) -> None:
    for route in router.routes:
        path, (method,) = getattr(route, "path"), getattr(route, "methods")  # noqa: B009
        answer = await service.ben.request(method, f"/api/v1{path}", json={"message": "Mine."})
        assert answer.status_code == 403, (method, path, answer.text)
    assert await read_acts(service.store) == []


async def test_who_uses_what(service: Service, root: httpx.AsyncClient) -> None:
    run = await service.start("pirate")
    await service.ben.get("/api/v1/runs")

    overview = (await root.get("/admin/overview")).json()

    users = {one["user"]: one for one in overview["users"]}
    assert set(users) == {"anna", "ben", "root"}
    lines = service.config.run_folder(str(run["run_id"])) / "records.jsonl"
    assert users["anna"]["storage_bytes"] == lines.stat().st_size
    assert users["anna"]["runs"] == overview["runs"] == {"queued": 1}
    assert (users["anna"]["num_adapters"], users["ben"]["num_adapters"]) == (1, 0)
    assert users["ben"]["last_seen"] > "2"


async def test_drained_it_takes_no_new_work_and_says_why(
    service: Service, root: httpx.AsyncClient
) -> None:
    run = await service.start("pirate")
    state = (await root.put("/admin/maintenance", json={"message": "Disks.", "seconds": 40})).json()
    assert (state["maintenance"]["message"], state["num_running"]) == ("Disks.", 0)

    body = {"config": {"adapter": "other", "base_model": "tiny"}, "records": RECORDS}
    refused = await service.anna.post("/api/v1/runs", json=body)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "40")
    assert refused.json()["error"]["code"] == "maintenance"
    assert refused.json()["error"]["message"] == "Maintenance: Disks."
    for path, asked in (("/v1/completions", {"model": "base", "prompt": "Hi"}), (
        "/api/v1/forward_backward", {}), ("/api/v1/model/x/twinkle/step", {})):  # fmt: skip
        assert (await service.anna.post(path, json=asked)).status_code == 503, path
    paused = await service.anna.post(f"/api/v1/runs/{run['run_id']}/pause")
    assert paused.status_code == 200
    told = (await service.ben.get("/api/v1/service")).json()
    assert told["maintenance"]["message"] == "Disks."

    await root.delete("/admin/maintenance")
    assert (await service.anna.post("/api/v1/runs", json=body)).status_code == 201
    acts = [(act.who, act.what) for act in await read_acts(service.store)]
    assert acts == [
        ("anna", "run_started"), ("root", "undrain"), ("root", "drain"), ("anna", "run_started"),
    ]  # fmt: skip


def test_every_route_that_takes_work_in_is_known_as_such(service: Service) -> None:
    posts = {route for route in routes_of_app(service.app) if route.startswith("POST ")}
    work = {route for route in posts if WORK.fullmatch(route.removeprefix("POST "))}
    assert posts - work == {route for route in ANSWERED if "twinkle" not in route} | {
        route for route in posts if "/api/v1/twinkle/" in route
    }
    assert not work & ANSWERED


async def test_a_message_is_told_until_its_time_is_over(
    service: Service, root: httpx.AsyncClient
) -> None:
    async def told() -> Row | None:
        said: Row | None = (await service.anna.get("/api/v1/service")).json()["broadcast"]
        return said

    assert await told() is None
    await root.put("/admin/broadcast", json={"message": " Exam at ten. ", "level": "warning"})
    said = await told()
    assert said is not None
    assert (said["message"], said["level"]) == ("Exam at ten.", "warning")
    # The sidebar's answer is another one by it.
    assert (await service.anna.get("/api/v1/overview")).json()["broadcast"] == said
    await root.put("/admin/broadcast", json={"message": "Soon over.", "seconds": 1})
    await service.store.put("service/broadcast", {}, ttl_s=0.0)
    assert await told() is None
    assert (await root.delete("/admin/broadcast")).status_code == 404
    wrong = await root.put("/admin/broadcast", json={"message": " ", "seconds": 0})
    assert wrong.status_code == 400
    assert "message" in wrong.text
    assert "seconds" in wrong.text


async def test_limits_are_changed_live_of_all_of_a_group_and_of_a_user(
    service: Service, root: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinkle_jupyter.service.live_limits._LASTS_S", 0.0)
    cleo = client_of(service, await create_key(service.store, "cleo", groups=["class", "staff"]))

    async def change(scope: str, name: str, **changes: int | None) -> None:
        body = {"scope": scope, "name": name, "changes": changes}
        answer = await root.put("/admin/limits", json=body)
        assert answer.status_code == 200, answer.text

    async def limits_of(user: httpx.AsyncClient) -> dict[str, int]:
        told = (await user.get("/api/v1/usage")).json()["limits"]
        return {one["name"]: one["limit"] for one in told if one["limit"]}

    async with cleo:
        await change("default", "", adapters=1)
        await service.start("pirate")
        body = {"config": {"adapter": "parrot", "base_model": "tiny"}, "records": RECORDS}
        refused = await service.anna.post("/api/v1/runs", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
        await change("user", "anna", adapters=2)
        assert (await service.anna.post("/api/v1/runs", json=body)).status_code == 201
        # Who is in several groups has the largest; what is said of a user comes last.
        await change("group", "class", adapters=5, longest_input=100)
        await change("group", "staff", adapters=7, longest_input=50)
        assert await limits_of(cleo) == {"adapters": 7, "longest_input": 100}
        await change("user", "cleo", longest_input=30)
        assert await limits_of(cleo) == {"adapters": 7, "longest_input": 30}
        # Another process, or this one started again, finds the same.
        app = create_app(
            service.store, service.config, compute=not_loaded, check_base_model=only_tiny
        )
        async with client_of(replace(service, app=app), key_of(cleo)) as again:
            assert await limits_of(again) == {"adapters": 7, "longest_input": 30}
        for scope, name in (("group", "staff"), ("group", "class"), ("user", "cleo")):
            await change(scope, name, adapters=None, longest_input=None)
        assert await limits_of(cleo) == await limits_of(service.ben) == {"adapters": 1}
    listed = (await root.get("/admin/limits")).json()
    assert [(one["scope"], one["name"]) for one in listed["changed"]] == [
        ("default", ""), ("user", "anna"),
    ]  # fmt: skip
    for wrong in (
        {"scope": "default", "name": "x", "changes": {"adapters": 1}},
        {"scope": "user", "changes": {"adapters": 1}},
        {"scope": "user", "name": "x", "changes": {}},
        {"scope": "user", "name": "x", "changes": {"adapters": -1}},
        {"scope": "user", "name": "x", "changes": {"users": 1}},
    ):
        answer = await root.put("/admin/limits", json=wrong)
        assert answer.status_code in (400, 422), wrong


async def test_the_audit_log_says_who_did_what_and_forgets_the_oldest(
    service: Service, root: httpx.AsyncClient
) -> None:
    run = await service.start("pirate")
    await service.anna.post(f"/api/v1/runs/{run['run_id']}/stop")
    await root.put(
        "/admin/limits", json={"scope": "user", "name": "ben", "changes": {"adapters": 3}}
    )

    acts = (await root.get("/admin/audit")).json()["acts"]
    assert [(act["who"], act["what"], act["to"]) for act in acts] == [
        ("root", "limits_changed", "user ben"),
        ("anna", "run_stopped", run["run_id"]),
        ("anna", "run_started", run["run_id"]),
    ]
    of_anna = await root.get("/admin/audit", params={"user": "anna", "since": acts[1]["at"]})
    assert [act["what"] for act in of_anna.json()["acts"]] == ["run_stopped"]
    assert (await root.get("/admin/audit", params={"since": "soon"})).status_code == 400

    for number in range(5):
        await note_act(service.store, "root", "broadcast", str(number))
    await cut_acts(service.store, keep_days=1, keep_entries=4)
    assert [act.to for act in await read_acts(service.store)] == ["4", "3", "2", "1"]
