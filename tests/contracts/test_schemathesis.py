"""Requests that schemathesis makes up from each protocol's OpenAPI: none is a 5xx or a traceback.

Half of them are valid by the schema, half break it; half of each name things that exist. In CI some
hundreds; `TWINKLE_FUZZ_REQUESTS=5000` sends that many for each protocol, other ones each time.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from tests.client.live_service import RECORDS, LiveService
from tests.contracts.test_openapi import PROTOCOLS, protocol_of
from tests.contracts.twinkle_aim import aimed_body, ids_of
from tests.service.in_thread_files import InThread
from tests.service.one_of_everything import Belongings, a_pass, make_belongings
from twinkle_jupyter.service import checkpoints, runs, sampling

#: Of one protocol.
NUM_REQUESTS = int(os.environ.get("TWINKLE_FUZZ_REQUESTS", "0"))
_NUM_IN_CI = 200
#: What is made up first is the plainest: of few requests, one at least reaches what is there.
_YES_FIRST = st.sampled_from([True, False])
#: Work that a request may ask for, held small: it is not what is tested.
_AT_MOST = {"max_tokens": 3, "max_completion_tokens": 3, "n": 2, "num_samples": 2, "rank": 8}


@dataclass
class Target:
    """A service with something to ask for."""

    live: LiveService
    mine: Belongings
    session: requests.Session
    #: Of the client's model; `make_belongings` sent two ops.
    next_id: int = 3

    def known(self, place: str, otherwise: object) -> object:
        """Return what a field of this name may hold, where that is known."""
        mine = self.mine
        ids: dict[str, object] = {
            "run": mine.run,
            "name": mine.imported,
            "adapter": mine.imported,
            "from_adapter": mine.imported,
            "sweep": mine.sweep,
            "export": mine.export,
            "checkpoint": mine.checkpoint,
            "session_id": mine.session,
            "model_id": mine.model,
            "kind": "weights",
            "checkpoint_id": "weights/kept",
            "request_id": mine.training_future,
            "sampling_session_id": mine.sampler,
            "sampler_id": mine.sampler,
            "tinker_path": mine.saved,
            "path": mine.saved,
            "model": mine.imported,
            "base_model": "tiny",
            "adapter_uri": mine.saved,
            "config": {"base_model": "tiny", "steps": 4},
            "records": RECORDS,
            "grid": {"rank": [2, 4]},
            "changes": {"batch_size": 2},
            "members": ["r4"],
            "folder": str(self.live.config.home / "out"),
            "messages": [{"role": "user", "content": "Hi"}],
            "prompt": "Hi",
            "forward_backward_input": a_pass("", 1)["forward_backward_input"],
            "repeats": None,
            "suffix": None,
            "logit_bias": None,
            "tools": None,
        }
        return ids.get(place, otherwise)

    def aim_twinkle(self, case: schemathesis.Case, *, is_whole: bool) -> None:
        """As `aim`; the rest of the body stays as it was made up, if it is not to be whole."""
        known = ids_of(self.mine)
        for place in case.path_parameters:
            case.path_parameters[place] = known.get(place, case.path_parameters[place])
        case.headers = {**(case.headers or {}), "X-Twinkle-Session-Id": self.mine.session}
        if isinstance(case.body, dict):
            route = case.path.rpartition("/")[2]
            case.body = aimed_body(self.mine, route, case.body, is_whole=is_whole)

    def aim(self, case: schemathesis.Case) -> None:
        """Let a request name things that exist, and an op be the next one."""
        for place in case.path_parameters:
            case.path_parameters[place] = self.known(place, case.path_parameters[place])
        if "kind" in case.path_parameters:
            case.path_parameters["name"] = "kept"
        if isinstance(case.body, dict):
            is_sample = "sampling_session_id" in case.body
            case.body = {place: self.known(place, value) for place, value in case.body.items()}
            if is_sample:
                case.body["prompt"] = {"chunks": [{"tokens": [5, 6]}]}
            if "model_id" in case.body and "seq_id" in case.body:
                case.body["seq_id"] = self.next_id
            if case.path.startswith("/api/v1/save_weights"):
                case.body["path"] = f"kept-{self.next_id}"


def _hold_small(body: object) -> None:
    if isinstance(body, dict):
        for name, value in body.items():
            if name in _AT_MOST and isinstance(value, int) and value > _AT_MOST[name]:
                body[name] = _AT_MOST[name]
            _hold_small(value)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Target]:
    home = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        # Nobody drives the runs, so that waiting for them is in vain.
        patch.setattr(sampling, "FIRST_WEIGHTS_S", 0.05)
        patch.setattr(checkpoints, "_WAIT_S", 0.05)
        patch.setattr(runs, "STOP_WAIT_S", 0.05)
        with LiveService(home / "twinkle", tiny_model, InThread()) as live:
            url, key = live.connection.url, live.connection.api_key
            with (
                requests.Session() as session,
                httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60) as http,
            ):
                session.headers["X-API-Key"] = key
                mine = make_belongings(live, http)
                live.app.state.tinker.futures.hold_s = 0.05
                yield Target(live, mine, session)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.timeout(3600 if NUM_REQUESTS else 300)
def test_no_request_is_answered_by_an_accident(target: Target, protocol: str) -> None:
    whole = target.live.app.openapi()
    paths = {
        path: routes
        for path, routes in whole["paths"].items()
        if protocol_of(next(iter(routes.values()))["tags"]) == protocol
    }
    schema = schemathesis.openapi.from_dict(cast("dict[str, Any]", {**whole, "paths": paths}))
    operations = [found.ok() for found in schema.get_all_operations()]
    # What takes things away comes last; a forward pass alone, that of which there was a loss.
    ends = ("/finish", "/stop", "/forward_only")
    operations.sort(key=lambda one: one.method == "delete" or one.path.endswith(ends))
    modes = list(schemathesis.GenerationMode)
    num_examples = -(-(NUM_REQUESTS or _NUM_IN_CI) // (len(operations) * len(modes)))
    statuses: Counter[int] = Counter()
    carried_out: set[str] = set()

    def attack(operation: Any, mode: schemathesis.GenerationMode) -> None:
        cases = operation.as_strategy(generation_mode=mode)

        @settings(
            max_examples=num_examples,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            derandomize=not NUM_REQUESTS,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, is_aimed=_YES_FIRST, is_whole=_YES_FIRST)
        def send(case: schemathesis.Case, is_aimed: bool, is_whole: bool) -> None:
            if is_aimed and protocol == "twinkle":
                target.aim_twinkle(case, is_whole=is_whole)
            elif is_aimed:
                target.aim(case)
            _hold_small(case.body)
            if case.path.endswith("/events"):
                case.query = {**(case.query or {}), "follow": "false"}
            answer = case.call(
                target.live.connection.url, target.session, timeout=30, allow_redirects=False
            )
            statuses[answer.status_code] += 1
            if answer.status_code < 400:
                carried_out.add(operation.label)
                is_op = isinstance(case.body, dict) and case.body.get("seq_id") == target.next_id
                target.next_id += is_op
            _check(protocol, answer, case)

        send()

    while sum(statuses.values()) < NUM_REQUESTS or not statuses:
        for operation, mode in itertools.product(operations, modes):
            with contextlib.suppress(Unsatisfiable):  # a route without parameters: none is wrong
                attack(operation, mode)
    refused = sorted({one.label for one in operations} - carried_out)
    num = sum(statuses.values())
    print(f"{protocol}: {num} requests, {dict(sorted(statuses.items()))}; only refused: {refused}")  # noqa: T201
    assert num >= (NUM_REQUESTS or 100)


def _check(protocol: str, answer: schemathesis.Response, case: schemathesis.Case) -> None:
    text = answer.content.decode(errors="replace")
    told = f"{answer.status_code} {text[:500]}\n{case.as_curl_command()[:2000]}"
    # Nobody drives the runs here, so that waiting for a checkpoint of one that goes on is in vain.
    is_in_vain = answer.status_code == 503 and "did not come to a checkpoint" in text
    assert answer.status_code < 500 or is_in_vain, told
    assert "Traceback (most" not in text, told
    if answer.status_code >= 400:
        sentence = _sentence(protocol, cast("dict[str, Any]", answer.json()))
        assert sentence.rstrip("`")[-1:] in ".!?", told


def _sentence(protocol: str, body: dict[str, Any]) -> str:
    """Return what an error says, in the form of its protocol."""
    match protocol:
        case "tinker" | "twinkle":
            return str(body["detail"])
        case "openai":
            assert body["error"]["type"]
            return str(body["error"]["message"])
        case _:
            assert body["error"]["code"]
            return str(body["error"]["message"])
