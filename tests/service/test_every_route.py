"""A walk over every route of every protocol: without a key, and with another user's.

Each route has a case below, by the id that it takes; a route that has none fails here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from tests.client.live_service import LiveService
from tests.service.admin_cases import ADMIN
from tests.service.in_thread_files import InThread
from tests.service.one_of_everything import Belongings, a_pass, a_sample, make_belongings
from tests.service.twinkle_cases import NO_ID as TWINKLE_NO_ID
from tests.service.twinkle_cases import TWINKLE
from twinkle_jupyter.service.auth import OPEN_PATHS, create_key

_OPENAI_PREFIXES = ("/v1", "/oai/api/v1", "/api/v1")
_MESSAGES = [{"role": "user", "content": "Hi"}]
_SAMPLER = {"sampling_session_seq_id": 7}
_RUN = {"run": "run"}
_SWEEP = {"sweep": "sweep"}
_MODEL = {"model_id": "model"}
_SAVED = {"model_id": "model", "kind": "weights", "name": "kept"}

Body = Callable[[Belongings], dict[str, object]]


@dataclass(frozen=True)
class Case:
    """How a route is asked for what belongs to somebody."""

    #: What stands in the path: a field of `Belongings`, or else itself.
    places: dict[str, str] = field(default_factory=dict)
    body: Body = lambda _: {}
    query: dict[str, str] = field(default_factory=dict)
    #: What it answers for an id of another user's, if not that there is nothing of it.
    status: int = 404
    #: What its owner is told, if not that it is there: of a run's checkpoint that is not.
    own: str = ""


#: Routes that take nobody's id: they list or begin what is the asker's own.
NO_ID = {
    *(
        "GET /healthz",
        "GET /api/v1/usage",
        "GET /api/v1/service",
        "GET /api/v1/runs",
        "GET /api/v1/adapters",
        "GET /api/v1/keys",
        "POST /api/v1/keys",
        "GET /api/v1/shared",
        "GET /api/v1/overview",
    ),
    "POST /api/v1/tokens",
    *("POST /api/v1/sweeps", "GET /api/v1/sweeps", "POST /api/v1/adapters/{name}/import"),
    *("POST /api/v1/client/config", "POST /api/v1/client/dynamic_config"),
    *("POST /api/v1/telemetry", "GET /api/v1/healthz", "POST /api/v1/create_session"),
    *("GET /api/v1/sessions", "GET /api/v1/get_server_capabilities"),
    *("GET /api/v1/checkpoints", "GET /api/v1/training_runs"),
    # The link is key enough; one that nobody has signed is as no key.
    *("GET /api/v1/downloads/{link}", "GET /readyz"),
    *(f"GET {prefix}/models" for prefix in _OPENAI_PREFIXES),
    *TWINKLE_NO_ID,
}

NATIVE = {
    "POST /api/v1/runs": Case(body=lambda mine: {
        "config": {"adapter": "of-ben", "base_model": "tiny"}, "records": [],
        "from_adapter": mine.imported,
    }),
    "GET /api/v1/runs/{run}": Case(_RUN),
    "GET /api/v1/runs/{run}/events": Case(_RUN, query={"follow": "false"}),
    "GET /api/v1/runs/{run}/checkpoints": Case(_RUN),
    "GET /api/v1/runs/{run}/record": Case(_RUN),
    "GET /api/v1/runs/{run}/records": Case(_RUN),
    "POST /api/v1/runs/{run}/set": Case(_RUN, lambda _: {"changes": {"batch_size": 2}}),
    "POST /api/v1/runs/{run}/pause": Case(_RUN),
    "POST /api/v1/runs/{run}/resume": Case(_RUN),
    "POST /api/v1/runs/{run}/fork": Case({"run": "imported_run"}),
    "POST /api/v1/runs/{run}/rewind": Case(
        {"run": "imported_run"}, lambda _: {"step": 1}, own="has no checkpoint of step 1"
    ),
    "POST /api/v1/runs/{run}/checkpoints": Case({"run": "imported_run"}),
    "DELETE /api/v1/runs/{run}/checkpoints/{checkpoint}": Case(
        {"run": "imported_run", "checkpoint": "checkpoint"}
    ),
    "POST /api/v1/runs/{run}/stop": Case(_RUN),
    "GET /api/v1/sweeps/{sweep}": Case(_SWEEP),
    "POST /api/v1/sweeps/{sweep}/prune": Case(_SWEEP, lambda _: {"members": ["r4"]}),
    "POST /api/v1/sweeps/{sweep}/extend": Case(_SWEEP, lambda _: {"grid": {"rank": [16]}}),
    "POST /api/v1/sweeps/{sweep}/stop": Case(_SWEEP),
    "POST /api/v1/samples": Case(body=lambda mine: {"model": mine.imported, "messages": _MESSAGES}),
    "POST /api/v1/adapters/{name}/exports": Case(
        {"name": "imported"}, lambda _: {"folder": "/nowhere/x", "format": "peft"}
    ),
    "GET /api/v1/exports/{export}": Case({"export": "export"}),
    "DELETE /api/v1/exports/{export}": Case({"export": "export"}),
    "PUT /api/v1/shared": Case(body=lambda mine: {"adapter": mine.imported, "everyone": True}),
    "DELETE /api/v1/shared": Case(query={"what": "parrot"}),
    "GET /api/v1/weights": Case(query={"adapter": "parrot"}),
    "DELETE /api/v1/adapters/{name}": Case({"name": "imported"}),
    "DELETE /api/v1/keys/{key_id}": Case({"key_id": "spare_key"}),
}  # fmt: skip

TINKER = {
    "POST /api/v1/session_heartbeat": Case(body=lambda mine: {"session_id": mine.session}),
    "GET /api/v1/sessions/{session_id}": Case({"session_id": "session"}),
    "POST /api/v1/create_model": Case(body=lambda mine: {
        "session_id": mine.session, "model_seq_id": 3, "base_model": "tiny",
    }),
    "POST /api/v1/get_info": Case(body=lambda mine: {"model_id": mine.model}),
    "POST /api/v1/unload_model": Case(body=lambda mine: {"model_id": mine.model}),
    "POST /api/v1/forward_backward": Case(body=lambda mine: a_pass(mine.model, 9)),
    "POST /api/v1/forward": Case(body=lambda mine: a_pass(mine.model, 10)),
    "POST /api/v1/optim_step": Case(body=lambda mine: {
        "model_id": mine.model, "seq_id": 11, "adam_params": {},
    }),
    "POST /api/v1/load_weights": Case(body=lambda mine: {
        "session_id": mine.session, "model_seq_id": 4, "path": mine.saved,
    }),
    "POST /api/v1/retrieve_future": Case(body=lambda mine: {"request_id": mine.training_future}),
    # Whether there is such a sample is told to nobody; it is cancelled for its owner only.
    "POST /api/v1/cancel_future": Case(
        body=lambda mine: {"request_id": mine.sample_future}, status=200
    ),
    "POST /api/v1/save_weights": Case(body=lambda mine: {
        "model_id": mine.model, "seq_id": 12, "path": "other",
    }),
    "POST /api/v1/save_weights_for_sampler": Case(body=lambda mine: {
        "model_id": mine.model, "seq_id": 13, **_SAMPLER,
    }),
    "POST /api/v1/save_weights_external": Case(body=lambda mine: {
        "model_id": mine.model, "seq_id": 14, "path": "elsewhere",
    }),
    "POST /api/v1/copy_weights": Case(body=lambda mine: {
        "source_path": mine.saved, "destination_project_id": "project",
    }),
    "POST /api/v1/retrieve_futures": Case(body=lambda mine: {
        "target": {"sampling_session_id": mine.sampler}, "timeout": 0,
    }),
    # That these weights were saved for another purpose is told to their owner only.
    "GET /api/v1/training_runs/{model_id}/checkpoints/{kind}/{name}/external_weights_urls": Case(
        _SAVED
    ),
    "GET /api/v1/training_runs/{model_id}/checkpoints/{kind}/{name}/archive": Case(_SAVED),
    "POST /api/v1/weights_info": Case(body=lambda mine: {"tinker_path": mine.saved}),
    "GET /api/v1/training_runs/{model_id}": Case(_MODEL),
    "GET /api/v1/training_runs/{model_id}/checkpoints": Case(_MODEL),
    "PUT /api/v1/training_runs/{model_id}/checkpoints/{kind}/{name}/ttl": Case(
        _SAVED, lambda _: {"ttl_seconds": 7200}
    ),
    "POST /api/v1/training_runs/{model_id}/checkpoints/{kind}/{name}/publish": Case(_SAVED),
    "DELETE /api/v1/training_runs/{model_id}/checkpoints/{kind}/{name}/publish": Case(_SAVED),
    "POST /api/v1/create_sampling_session": Case(body=lambda mine: {
        "session_id": mine.session, "base_model": "tiny", **_SAMPLER,
    }),
    "GET /api/v1/samplers/{sampler_id}": Case({"sampler_id": "sampler"}),
    "POST /api/v1/asample": Case(body=lambda mine: a_sample(mine.sampler, 2)),
    "DELETE /api/v1/training_runs/{model_id}/checkpoints/{checkpoint_id}": Case(
        {"model_id": "model", "checkpoint_id": "weights/kept"}
    ),
    "POST /api/v1/sessions/{session_id}/finish": Case({"session_id": "session"}),
}  # fmt: skip

OPENAI = {
    f"{method} {prefix}{path}": case
    for prefix in _OPENAI_PREFIXES
    for method, path, case in (
        ("GET", "/models/{name}", Case({"name": "imported"})),
        ("POST", "/completions", Case(body=lambda mine: {
            "model": mine.imported, "prompt": "Hi", "max_tokens": 1,
        })),
        ("POST", "/chat/completions", Case(body=lambda mine: {
            "model": mine.imported, "messages": _MESSAGES, "max_tokens": 1,
        })),
    )
}  # fmt: skip

#: In the order in which their owner can ask them all: what deletes comes last.
CASES = {
    **OPENAI,
    **{route: Case(places, body) for route, (places, body) in TWINKLE.items()},
    **TINKER,
    **NATIVE,
}


@dataclass(frozen=True)
class Walk:
    """A service with all that Anna can have, and who asks for it."""

    live: LiveService
    mine: Belongings
    anna: httpx.Client
    ben: httpx.Client
    nobody: httpx.Client

    def ask(self, who: httpx.Client, route: str) -> httpx.Response:
        """Ask a route for what is Anna's."""
        method, _, template = route.partition(" ")
        case, path = CASES[route], template
        for place, name in case.places.items():
            path = path.replace(f"{{{place}}}", str(getattr(self.mine, name, name)))
        body = case.body(self.mine) if method in ("POST", "PUT") else None
        headers = {"X-Twinkle-Session-Id": self.mine.session}
        return who.request(method, path, params=case.query, json=body, headers=headers)


def routes_of(live: LiveService) -> set[str]:
    """Return the name of every route of a service."""
    return routes_of_app(live.app)


def routes_of_app(app: FastAPI) -> set[str]:
    """Return the name of every route; none is left out of OpenAPI."""
    routers: list[object] = [app]
    while routers:
        for route in getattr(routers.pop(), "routes"):  # noqa: B009 - of one type or the other
            if hasattr(route, "original_router"):
                routers.append(route.original_router)
            else:
                assert isinstance(route, APIRoute)
                assert route.include_in_schema
    paths = app.openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Walk]:
    home = tmp_path_factory.mktemp("walk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        with LiveService(home / "twinkle", tiny_model, InThread()) as live:
            url = live.connection.url

            def client(key: str) -> httpx.Client:
                headers = {"X-API-Key": key} if key else {}
                return httpx.Client(base_url=url, headers=headers, timeout=60)

            with client(live.connection.api_key) as anna, client("") as nobody:
                mine = make_belongings(live, anna)
                with client(live.call(create_key(live.store, "ben"))) as ben:
                    yield Walk(live, mine, anna, ben, nobody)


def test_every_route_has_a_case_and_is_one_of_the_documented(walk: Walk) -> None:
    routes = routes_of(walk.live)
    assert set(CASES) | NO_ID | ADMIN == routes
    assert not set(CASES) & NO_ID
    # Nothing is served beside what OpenAPI has: no page of documentation, no redirect.
    for path in ("/docs", "/redoc", "/openapi.json", "/"):
        assert walk.anna.get(path).status_code == 404


def test_without_a_key_every_route_says_so(walk: Walk) -> None:
    for route in sorted(routes_of(walk.live)):
        method, _, path = route.partition(" ")
        answers = [walk.nobody.request(method, path)]
        if route in CASES:
            answers.append(walk.ask(walk.nobody, route))
        expected = 200 if path in OPEN_PATHS else 401
        assert {answer.status_code for answer in answers} == {expected}, route


def test_what_is_anothers_is_not_found_by_any_route(walk: Walk) -> None:
    for route, case in CASES.items():
        answer = walk.ask(walk.ben, route)
        assert answer.status_code == case.status, (route, answer.text)
        if case.status == 404:
            # It may name what was asked for, and nothing else that is Anna's.
            other = walk.mine.session if "parrot" in answer.text else "parrot"
            assert other not in answer.text, route
    sample = walk.anna.post("/api/v1/retrieve_future", json={"request_id": walk.mine.sample_future})
    assert sample.json()["sequences"], "it was not cancelled"
    for route in sorted(NO_ID):
        method, _, path = route.partition(" ")
        if method == "GET":
            listed = walk.ben.get(path).text
            assert not [one for one in vars(walk.mine).values() if one in listed], route


def test_what_is_ones_own_is_found_by_every_route(walk: Walk) -> None:
    """The same requests by their owner: what was refused above was there, and is untouched."""
    for route, case in CASES.items():
        answer = walk.ask(walk.anna, route)
        if case.own:
            assert case.own in answer.text
            continue
        # A conflict or a mistake is found in what is there.
        assert answer.status_code not in (401, 404), (route, answer.text)
        assert answer.status_code < 500, (route, answer.text)
