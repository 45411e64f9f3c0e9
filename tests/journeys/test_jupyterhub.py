"""One service for a whole JupyterHub: a real Hub, its proxy, two users' own servers and kernels.

The tests go on from each other: what is trained in the first is what the next ones are about.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import quote

import httpx
import pytest

from tests.client.live_service import LiveService
from tests.journeys.browser import open_browser
from tests.journeys.conftest import wait_until
from tests.journeys.micro_batches import read_micro_batches, read_runs
from tests.journeys.real_hub import BASE, PREFIX, HubServer, RealHub
from tests.journeys.sidebar_page import (
    RUN,
    ask_to_train_on,
    check_row,
    fork_by_keyboard,
    send_form,
    show_sidebar,
)
from tests.records import SUMS
from tests.service.admin_cases import ADMIN
from tests.service.one_of_everything import Belongings, make_by_requests
from tests.service.test_every_route import CASES, NO_ID, Walk
from twinkle_jupyter.client.sse import FrameParser
from twinkle_jupyter.service.auth import OPEN_PATHS
from twinkle_jupyter.store.records import ends_run

pytestmark = [pytest.mark.ray, pytest.mark.model, pytest.mark.crash, pytest.mark.timeout(400)]

USE, ADMINISTER = "custom:twinkle:use", "custom:twinkle:admin"
STEPS = 20
CACHE_S = 2.0
RANKS = {"anna": 4, "ben": 16}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, base_model_folder: Path) -> Iterator[RealHub]:
    settings = {
        "TWINKLE_BASE_MODEL": "tiny",
        # A plan waits a tenth of a step for who comes back at once: of a real model that is enough.
        "TWINKLE_BASE_MODELS": json.dumps({"tiny": {"source": str(base_model_folder)}}),
        "TWINKLE_TRAINER__KEEPS_JOURNAL": "true",
        "TWINKLE_LIMITS__GROUPS": json.dumps({"class": {"adapters": 1}}),
        "TWINKLE_HUB__CACHE_S": str(CACHE_S),
        "TWINKLE_HUB__GRACE_DAYS": "0",
        "TWINKLE_HUB__LOOK_EVERY_S": "1",
        "OMP_NUM_THREADS": "1",
    }
    hub = RealHub(tmp_path_factory.mktemp("hub"), settings, {"class": ["ben"]})
    try:
        hub.start()
        hub.add_user("anna")
        yield hub
    finally:
        hub.end()


@pytest.fixture(scope="module")
def servers(hub: RealHub) -> Iterator[dict[str, HubServer]]:
    servers = {name: HubServer(hub, name) for name in RANKS}
    with ThreadPoolExecutor() as threads:
        list(threads.map(HubServer.start, servers.values()))
    yield servers
    for server in servers.values():
        server.http.close()


@pytest.fixture(scope="module")
def clients(hub: RealHub) -> Iterator[dict[str, httpx.Client]]:
    """Clients behind the proxy, of a user each, with Hub tokens that may do nothing else."""
    clients = {name: hub.client(hub.token(name, USE)[0]) for name in RANKS}
    clients["nobody"] = hub.client("")
    yield clients
    for client in clients.values():
        client.close()


def _run(client: httpx.Client, name: str) -> dict[str, object]:
    answer = client.get(f"/api/v1/runs/{name}").raise_for_status()
    return cast("dict[str, object]", answer.json())


def _is_finished(client: httpx.Client, name: str) -> bool:
    run = _run(client, name)
    assert run["state"] in ("queued", "running", "interrupted", "finished"), run
    return run["state"] == "finished"


def _start(client: httpx.Client, adapter: str, steps: int = 3) -> httpx.Response:
    config = {"adapter": adapter, "base_model": "tiny", "steps": steps}
    return client.post("/api/v1/runs", json={"config": config, "records": SUMS})


def _owners(hub: RealHub) -> dict[str, str]:
    """Return whose each run is, by its adapter's id."""
    runs = asyncio.run(read_runs(hub.home / "twinkle"))
    return {adapter: run.owner for adapter, run in runs.items()}


def test_both_train_in_the_same_micro_batches_with_no_set_up_and_outlive_their_server(
    hub: RealHub, servers: dict[str, HubServer], clients: dict[str, httpx.Client]
) -> None:
    for name, rank in RANKS.items():
        shown = servers[name].run(
            "%load_ext twinkle_jupyter\n"
            f"rows = {SUMS!r}\n"
            f"%twinkle train rows --adapter {name}s --base-model tiny --rank {rank}"
            f" --steps {STEPS} --batch-size 8"
        )
        assert '"status": "ok"' in shown, shown
    run_id = str(_run(clients["anna"], "annas")["run_id"])
    # The sidebar's way: her browser, her server, the service; by websocket through the proxy.
    said = servers["anna"].http.get("/twinkle-jupyter/api/runs").raise_for_status().json()
    assert [run["adapter"] for run in said["runs"]] == ["annas"]
    path = f"/twinkle-jupyter/runs/{run_id}/events"
    frames = servers["anna"].frames(path, lambda frame: '"step": 3' in json.dumps(frame))
    assert len(frames) > 3
    [*_, refused] = servers["ben"].frames(path, lambda frame: frame["type"] == "error")
    assert "not_found" in refused
    wait_until(lambda: int(str(_run(clients["anna"], "annas")["step"])) > 3, 120, "some steps")
    servers["anna"].stop()
    stopped_at = int(str(_run(clients["anna"], "annas")["step"]))
    assert stopped_at < STEPS, "it was to be stopped in the middle"
    for name in RANKS:
        client = clients[name]
        wait_until(lambda: _is_finished(client, f"{name}s"), 120, "the end")  # noqa: B023
        assert _run(client, f"{name}s")["step"] == STEPS
    owners = _owners(hub)
    batches = asyncio.run(read_micro_batches(hub.home / "twinkle", "tiny"))
    both = {"hub:anna", "hub:ben"}
    shared = sum({owners[adapter] for adapter in adapters} == both for adapters in batches)
    print(f"{shared} of {len(batches)} micro-batches are of both; stopped at {stopped_at}")  # noqa: T201
    assert shared >= 3, "on a busy machine, who is late for a plan takes the next one"


def test_neither_sees_what_is_the_others_by_any_route(
    hub: RealHub, clients: dict[str, httpx.Client]
) -> None:
    anna, ben = clients["anna"], clients["ben"]
    spare = anna.post("/api/v1/keys", json={"label": "spare"}).raise_for_status().json()
    trained = _run(anna, "annas")
    checkpoint = anna.get("/api/v1/runs/annas/checkpoints").json()["checkpoints"][0]["name"]
    mine: Belongings = replace(
        make_by_requests(anna, str(spare["key_id"])),
        imported="annas",
        imported_run=str(trained["run_id"]),
        checkpoint=str(checkpoint),
    )
    walk = Walk(cast("LiveService", None), mine, anna, ben, clients["nobody"])
    for route, case in CASES.items():
        assert walk.ask(ben, route).status_code == case.status, route
        assert walk.ask(walk.nobody, route).status_code == 401, route
    for route in sorted(NO_ID):
        method, _, path = route.partition(" ")
        if path not in OPEN_PATHS:
            assert walk.nobody.request(method, path).status_code == 401, route
        if method == "GET":
            listed = ben.get(path).text
            hers = [str(one) for one in vars(mine).values() if one and one != checkpoint]
            assert not [one for one in hers if one in listed], route
    assert _run(anna, "annas")["state"] == "finished", "what he asked for has changed nothing"
    # A link to weights leads back through the proxy, and needs no key.
    model, kind = mine.model, "weights/kept"
    path = f"/api/v1/training_runs/{model}/checkpoints/{kind}/archive"
    link = anna.get(path).headers["location"]
    assert link.startswith(f"{hub.url}{PREFIX}/api/v1/downloads/")
    assert httpx.get(link).status_code == 200
    made = ben.delete(f"/api/v1/keys/{spare['key_id']}")
    assert made.status_code == 404
    with hub.client(str(spare["key"]), by="X-API-Key") as by_key:
        assert _run(by_key, "annas")["run_id"] == trained["run_id"]


def test_a_group_has_its_quota_and_an_admin_a_scope(
    hub: RealHub, clients: dict[str, httpx.Client]
) -> None:
    answer = _start(clients["ben"], "another")
    assert answer.status_code == 429
    assert "adapters=1 is used up" in answer.text
    token, _ = hub.token("admin", USE, ADMINISTER)
    with hub.client(token) as admin, hub.client(hub.token("admin", "self")[0]) as restricted:
        assert admin.get("/api/v1/runs").json() == {"runs": []}
        assert restricted.get("/api/v1/runs").status_code == 403
        for route in sorted(ADMIN):
            method, _, path = route.partition(" ")
            assert clients["ben"].request(method, path).status_code == 403, route
            if method == "GET":
                assert admin.get(path).status_code == 200, route


def test_a_revoked_token_and_a_deleted_user_are_out_in_time(
    hub: RealHub, clients: dict[str, httpx.Client]
) -> None:
    hub.add_user("carl")
    token, token_id = hub.token("carl", USE)
    with hub.client(token) as carl, hub.client(token, url=hub.direct_url) as streaming:
        assert _start(carl, "carls", steps=20_000).status_code == 201
        with streaming.stream("GET", "/api/v1/runs/carls/events") as events:
            hub.operator.delete(f"/users/carl/tokens/{token_id}").raise_for_status()
            revoked_at = time.monotonic()
            took_s = wait_until(
                lambda: carl.get("/api/v1/runs").status_code == 401, CACHE_S + 2, "refusing it"
            )
            assert took_s < CACHE_S + 1
            for _ in events.iter_lines():
                assert time.monotonic() - revoked_at < 3 * CACHE_S, "the stream goes on"
    assert "hub:carl" in _owners(hub).values()
    hub.operator.delete("/users/carl").raise_for_status()
    wait_until(lambda: "hub:carl" not in _owners(hub).values(), 60, "removing him")
    folders = list((hub.home / "twinkle" / "artifacts" / "runs").iterdir())
    assert len(folders) == len(_owners(hub)), "his rows of data and weights are gone, too"


def test_a_run_goes_on_over_a_restart_of_the_hub(
    hub: RealHub, clients: dict[str, httpx.Client]
) -> None:
    anna = clients["anna"]
    assert _start(anna, "long", steps=STEPS).status_code == 201
    wait_until(lambda: int(str(_run(anna, "long")["step"])) > 3, 60, "some steps")
    hub.stop()
    hub.start()
    position = 0
    with hub.client(hub.token("anna", USE)[0]) as again:
        parser = FrameParser()
        with again.stream("GET", "/api/v1/runs/long/events") as events:
            for line in events.iter_lines():
                frame = parser.feed(line)
                if frame is None:
                    continue
                assert int(frame.event_id) == position + 1, "an event is missing"
                position += 1
                if ends_run(json.loads(frame.data)):
                    break
        assert _run(again, "long")["step"] == STEPS
    assert _is_finished(anna, "long"), "the token from before is good"


@pytest.mark.browser
def test_the_sidebar_works_behind_the_hubs_proxy(
    hub: RealHub, clients: dict[str, httpx.Client], chromium: str, tmp_path: Path
) -> None:
    """She logs in, her server is started, and everything is there with nothing set up."""
    addresses: list[str] = []
    home = hub.home / "users" / "anna"
    (home / "Sums.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in SUMS))
    with open_browser(chromium, tmp_path / "profile") as (context, watched):
        page = context.new_page()
        page.goto(f"{hub.url}/hub/login?next={quote(f'{BASE}/hub/spawn/anna')}")
        page.on("request", lambda request: addresses.append(request.url))
        page.on("websocket", lambda socket: addresses.append(socket.url))
        page.fill("input[name='username']", "anna")
        page.fill("input[name='password']", "twinkle")
        page.click("input[type='submit']")
        page.wait_for_url(f"{hub.url}/user/anna/lab**", timeout=60_000)
        show_sidebar(page)
        page.wait_for_selector(f"{RUN}[data-state='finished']")
        names = page.locator(f"{RUN} .jp-twinkle-side-name").all_inner_texts()
        hers = clients["anna"].get("/api/v1/runs").raise_for_status().json()["runs"]
        assert {"annas", "long"} <= {run["adapter"] for run in hers} == set(names)
        ask_to_train_on(page, "Sums.jsonl", 1000)
        send_form(page)
        check_row(page, "Sums")
        fork_by_keyboard(page)
    for name in ("Sums", "Sums-2"):
        clients["anna"].post(f"/api/v1/runs/{name}/stop").raise_for_status()
    assert not watched.external
    assert not watched.errors, watched.errors
    secrets = [token for token in hub.tokens if token]
    assert not [url for url in addresses if "token=" in url or any(one in url for one in secrets)]


def test_no_token_is_in_any_log_or_file(hub: RealHub) -> None:
    secrets = [token for token in hub.tokens if token]
    assert len(secrets) >= 8
    files = [path for path in (hub.home / "twinkle").rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in files)
    for path in (*files, hub.home / "hub.log"):
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # a checkpoint that its run has let go of
            assert path.suffix != ".log", path
            continue
        assert not [token for token in secrets if token.encode() in content], path
