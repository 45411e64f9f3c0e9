"""Two service processes on one Redis: a client asks either of them, and one is killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
import pytest

from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from tests.redis_server import RedisServer
from twinkle_jupyter.client.discovery import find_connection
from twinkle_jupyter.launch.leader import LEASE_S, NAME
from twinkle_jupyter.store.hold import Hold
from twinkle_jupyter.store.opening import open_store

pytestmark = [pytest.mark.ray, pytest.mark.redis, pytest.mark.crash, pytest.mark.timeout(240)]

_ROW = (5, 6, 7, 8, 9, 10)


@pytest.fixture(autouse=True)
def redis_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """The store of whatever is started after it."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    monkeypatch.setenv("TWINKLE_STORE", server.url)
    yield server
    server.kill()


@pytest.fixture
def replica(service: Service) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A second service process in the home of the first, and where it says that it answers."""
    command = [sys.executable, "-m", "twinkle_jupyter.cli", "serve", "--replica"]
    process = subprocess.Popen(
        [*command, "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1], process
    process.communicate(timeout=30)


@dataclass
class Replica:
    """One of the two, as a client that knows its address sees it."""

    http: httpx.Client

    def post(self, route: str, /, **body: object) -> dict[str, object]:
        answer = self.http.post(f"/api/v1/{route}", json=body).raise_for_status()
        return cast("dict[str, object]", answer.json())

    def result(self, request: dict[str, object]) -> dict[str, object]:
        """Ask until it is there, as clients do."""
        while True:
            body = {"request_id": request["request_id"]}
            answer = self.http.post("/api/v1/retrieve_future", json=body)
            if answer.status_code != 408:
                return cast("dict[str, object]", answer.raise_for_status().json())

    def forward_backward(self, model: object, number: int) -> dict[str, object]:
        targets = {"data": _ROW[1:], "dtype": "int64", "shape": [len(_ROW) - 1]}
        datum = {
            "model_input": {"chunks": [{"type": "encoded_text", "tokens": _ROW[:-1]}]},
            "loss_fn_inputs": {"target_tokens": targets},
        }
        inputs = {"data": [datum], "loss_fn": "cross_entropy"}
        return self.post(
            "forward_backward", model_id=model, seq_id=number, forward_backward_input=inputs
        )

    def optim_step(self, model: object, number: int) -> dict[str, object]:
        adam = {"learning_rate": 0.01}
        return self.post("optim_step", model_id=model, seq_id=number, adam_params=adam)

    def sample(self, session: object, number: int, max_tokens: int) -> dict[str, object]:
        return self.post(
            "asample",
            sampling_session_id=session,
            seq_id=number,
            num_samples=2,
            prompt={"chunks": [{"type": "encoded_text", "tokens": _ROW}]},
            sampling_params={"max_tokens": max_tokens, "stop": []},
        )


def _leader(server: RedisServer) -> tuple[int, int]:
    """Return its process and its epoch."""

    async def read() -> tuple[int, int]:
        store = open_store(server.url, 5)
        rows = await store.get_many([Hold.key(NAME), "leader-epoch"])
        await store.close()
        return (
            int(str((rows[0] or {"pid": 0})["pid"])),
            int(str((rows[1] or {"epoch": 0})["epoch"])),
        )

    return asyncio.run(read())


def test_either_answers_and_the_other_goes_on(
    service: Service,
    replica: tuple[str, subprocess.Popen[str]],
    redis_server: RedisServer,
    tiny_model: Path,
) -> None:
    connection = find_connection()
    assert connection is not None
    headers = {"X-API-Key": connection.api_key}
    url, process = replica
    assert url != connection.url
    with (
        httpx.Client(base_url=connection.url, headers=headers, timeout=60) as first,
        httpx.Client(base_url=url, headers=headers, timeout=60) as second,
    ):
        a, b = Replica(first), Replica(second)
        model, sampling = _work_at_both(a, b, str(tiny_model))
        assert service.process is not None
        assert _leader(redis_server) == (service.process.pid, 1)
        lost = a.sample(sampling, 2, max_tokens=100_000)
        service.kill()
        killed_at = time.monotonic()

        # Whoever is left goes on at once, and takes everything over within a lease.
        loss = b.result(b.forward_backward(model, 3))
        assert loss["metrics"]
        assert cast("dict[str, float]", b.result(b.optim_step(model, 4))["metrics"])["step"] == 2
        gone = second.post("/api/v1/retrieve_future", json={"request_id": lost["request_id"]})
        assert gone.status_code == 410
        again = b.result(b.sample(sampling, 3, max_tokens=8))
        assert len(cast("list[object]", again["sequences"])) == 2
        left_s = LEASE_S + 6 - (time.monotonic() - killed_at)
        wait_until(lambda: _leader(redis_server) == (process.pid, 2), left_s, "handing over")
        assert (found := find_connection()) is not None
        assert (found.url, found.pid) == (url, process.pid)
    process.communicate(timeout=30)
    wait_until(lambda: not service.processes(), 15, "ending every process")


def _work_at_both(a: Replica, b: Replica, base_model: str) -> tuple[object, object]:
    """Ask either for everything, and the other one for what came of it."""
    session = a.post("create_session")["session_id"]
    named = {"session_id": session, "base_model": base_model}
    lora = {"rank": 4, "seed": 1}
    asked = a.post("create_model", model_seq_id=0, lora_config=lora, **named)
    model = b.result(asked)["model_id"]
    assert a.result(asked)["model_id"] == model
    b.post("session_heartbeat", session_id=session)
    passed, stepped = a.forward_backward(model, 1), b.optim_step(model, 2)
    for asked in (passed, stepped):
        assert a.result(asked) == b.result(asked)
    sampling = a.post("create_sampling_session", sampling_session_seq_id=0, **named)[
        "sampling_session_id"
    ]
    sampled = a.sample(sampling, 1, max_tokens=24)
    told = [b.result(sampled), a.result(sampled), b.result(sampled)]
    assert told[0] == told[1] == told[2]
    # The same request once more, at the other one, writes nothing anew.
    assert b.sample(sampling, 1, max_tokens=24) == sampled
    assert b.result(sampled) == told[0]
    return model, sampling
