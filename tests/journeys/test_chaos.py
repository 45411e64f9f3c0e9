"""Two adapters trained together, one of them on preferences, while every process around them is
killed at random.

`TWINKLE_CHAOS_SEED` decides who dies when, `TWINKLE_CHAOS_KILLS` how often, `TWINKLE_CHAOS_PAIRS`
how many pairs of runs one after another share these kills. Afterwards each adapter is bit by bit
what the same plans give without a kill, and no step is missing or told twice.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

import psutil
import pytest
import torch
from safetensors.torch import load_file

from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from tests.journeys.unbroken import Unbroken, repeat_journal
from tests.records import PAIRS, SUMS
from tests.redis_server import RedisServer
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.event_stream import RunEventRecord
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runs.references import REFERENCE_FILE
from twinkle_jupyter.store.opening import open_store
from twinkle_jupyter.store.records import TERMINAL_STATES

SEED = int(os.environ.get("TWINKLE_CHAOS_SEED", "1"))
NUM_KILLS = int(os.environ.get("TWINKLE_CHAOS_KILLS", "10"))
NUM_PAIRS = int(os.environ.get("TWINKLE_CHAOS_PAIRS", "1"))

pytestmark = [
    pytest.mark.ray,
    pytest.mark.crash,
    pytest.mark.timeout(180 + 60 * NUM_KILLS),
]

#: Who dies, by a word of the process's name or command line; the heavy ones take longest.
VICTIMS = {
    "trainer": ("ray::TrainerActor",),
    "runs": ("ray::RunsActor",),
    "service": ("twinkle_jupyter.cli serve",),
    "sampler": ("ray::SamplerActor",),
    "head": ("gcs_server", "raylet"),
    "cluster": ("twinkle_jupyter.launch.cluster",),
}
_SHARES = ("trainer", "runs", "service", "trainer", "runs", "sampler", "head", "trainer", "cluster")
_SHARES_WITH_REDIS = ("redis", "trainer", "redis", "runs", "redis", "service", "redis", "head")
_RECOVERY_S = 90.0
#: A power of two, by which losses are divided without rounding.
PAIRS_OF_A_STEP = 2


@dataclass
class Chaos:
    """Kills, and what it has to do afterwards that the lab would do."""

    service: Service
    random: Random
    #: None where the store is a file.
    redis: RedisServer | None = None
    num_kills: int = 0

    def strike(self, name: str) -> None:
        """Kill one such process as soon as there is one."""
        if name == "redis":
            self._strike_store()
            return
        wait_until(lambda: self.service.find(*VICTIMS[name]), _RECOVERY_S, f"having a {name}")
        victim = self.random.choice(self.service.find(*VICTIMS[name]))
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            return
        self.num_kills += 1
        if name == "service":
            self.service.kill()
            self.service.start()

    def _strike_store(self) -> None:
        """The server is away for a moment, as it is when its machine restarts."""
        assert self.redis is not None
        self.redis.kill()
        self.num_kills += 1
        time.sleep(self.random.uniform(0.0, 2.0))
        self.redis.start()


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def redis_server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisServer | None]:
    """The store of the service that is started after it."""
    if request.param == "sqlite":
        yield None
        return
    server = RedisServer(tmp_path / "redis")
    server.start()
    monkeypatch.setenv("TWINKLE_STORE", server.url)
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def kept_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is kept, to be repeated; cuts are made often, to be met by kills."""
    monkeypatch.setenv("TWINKLE_TRAINER__KEEPS_JOURNAL", "true")
    monkeypatch.setenv("TWINKLE_TRAINER__CUT_EVERY_S", "1")
    monkeypatch.setenv("TWINKLE_PLACEMENT__NUM_THREADS", "1")


def _config(
    model: Path, number: int, *, rank: int, batch_size: int, loss: Literal["cross_entropy", "dpo"]
) -> RunConfig:
    return RunConfig(
        adapter=f"chaos-{number}-{rank}",
        base_model=str(model),
        steps=1_000_000,
        rank=rank,
        batch_size=batch_size,
        loss=loss,
        learning_rate=1e-3,
        checkpoint_every=50,
        eval_fraction=0.2,
        eval_every=30,
        probe=("What is 3 and 3?",),
        probe_every=40,
        probe_tokens=4,
        seed=number,
    )


def _told(client: Client, run: str) -> list[RunEventRecord]:
    with client.events(run, follow=False) as events:
        return list(events)


def _steps(client: Client, run: str) -> list[tuple[int, float]]:
    steps = [e.entry for e in _told(client, run) if e.entry["kind"] == "step"]
    return [(int(str(e["step"])), float(str(e["loss"]))) for e in steps]


def _step(client: Client, run: str) -> int:
    try:
        return client.run(run).step
    except ServiceUnavailableError:
        return -1


async def test_two_runs_are_what_they_would_have_been_whoever_dies(
    redis_server: RedisServer | None, service: Service, tiny_model: Path
) -> None:
    random = Random(SEED)  # noqa: S311 - no secret
    chaos = Chaos(service, random, redis_server)
    # Whoever else dies is the same with either store.
    num_kills = NUM_KILLS if redis_server is None else NUM_KILLS // 2
    runs: dict[str, AdapterId] = {}
    told: dict[str, list[tuple[int, float]]] = {}
    started = time.monotonic()
    for pair in range(NUM_PAIRS):
        kills = num_kills * (pair + 1) // NUM_PAIRS - num_kills * pair // NUM_PAIRS
        for run, adapter_id in _run_pair(chaos, tiny_model, pair, kills):
            runs[run] = adapter_id
            with service.client() as client:
                told[run] = _steps(client, run)
    seconds = time.monotonic() - started
    service.end()
    service.start()  # for the fixture, which ends it

    config = ServiceConfig.load()
    store = open_store(config.store_address, _RECOVERY_S)
    journal, folder = f"trainer:{tiny_model}", config.trainer_folder(str(tiny_model))
    unbroken = await repeat_journal(store, tiny_model, journal, folder)
    await store.close()
    for run, adapter_id in runs.items():
        _check(config, run, told[run], unbroken[adapter_id])
    figures = {"kills": chaos.num_kills, "seconds": round(seconds), "seed": SEED}
    figures["steps"] = sum(len(steps) for steps in told.values())
    sys.stdout.write(f"{json.dumps(figures)}\n")


def _run_pair(chaos: Chaos, model: Path, pair: int, num_kills: int) -> list[tuple[str, AdapterId]]:
    """Train two adapters together through so many kills; return them when they are over."""
    shares = _SHARES if chaos.redis is None else _SHARES_WITH_REDIS
    victims = [shares[index % len(shares)] for index in range(num_kills)]
    chaos.random.shuffle(victims)
    with chaos.service.client() as client:
        said = _config(model, pair, rank=4, batch_size=3, loss="cross_entropy")
        liked = _config(model, pair, rank=6, batch_size=PAIRS_OF_A_STEP, loss="dpo")
        runs = [client.start_run(said, SUMS).run_id, client.start_run(liked, PAIRS).run_id]
    _check_service_is_not_missed(chaos, runs)
    for victim in victims:
        before = _wait_for_steps(chaos.service, runs, {})
        time.sleep(chaos.random.uniform(0.0, 1.5))
        chaos.strike(victim)
        _wait_for_steps(chaos.service, runs, before)
    # Whoever is stopped at a checkpoint before it is back leaves a step that nobody was told of.
    _wait_for_steps(chaos.service, runs, _wait_for_steps(chaos.service, runs, {}))
    with chaos.service.client() as client:
        for run in runs:
            client.stop(run)
        for run in runs:
            wait_until(functools.partial(_is_over, client, run), _RECOVERY_S, "stopping")
        adapters = {body.run_id: AdapterId(body.adapter_id) for body in client.adapters()}
    return [(run, adapters[run]) for run in runs]


def _check_service_is_not_missed(chaos: Chaos, runs: list[str]) -> None:
    """As long as nothing else has died: training goes on without the HTTP service."""
    before = _wait_for_steps(chaos.service, runs, {})
    interruptions = _interruptions(chaos.service, runs)
    chaos.strike("service")
    _wait_for_steps(chaos.service, runs, before)
    assert _interruptions(chaos.service, runs) == interruptions


def _interruptions(service: Service, runs: list[str]) -> int:
    with service.client() as client:
        events = [event.entry for run in runs for event in _told(client, run)]
    return sum(entry.get("state") == "interrupted" for entry in events)


def _is_over(client: Client, run: str) -> bool:
    return client.run(run).state in TERMINAL_STATES


def _wait_for_steps(service: Service, runs: list[str], before: dict[str, int]) -> dict[str, int]:
    """Wait until every run has taken a step beyond what it had; return what they have."""
    deadline = time.monotonic() + _RECOVERY_S
    with service.client() as client:
        while True:
            now = {run: _step(client, run) for run in runs}
            if all(step > before.get(run, 0) for run, step in now.items()):
                return now
            states = [(client.run(run).state, client.run(run).reason) for run in runs]
            assert time.monotonic() < deadline, f"no step beyond {before}: {now}, {states}"
            time.sleep(0.05)


def _check(
    config: ServiceConfig, run: str, told: list[tuple[int, float]], unbroken: Unbroken
) -> None:
    assert [step for step, _ in told] == list(range(1, len(told) + 1))
    assert unbroken.step == len(told)
    folder = config.checkpoint_folder(run, f"step-{len(told):06d}")
    saved = load_file(folder / "adapter_model.safetensors")
    assert saved.keys() == unbroken.weights.keys()
    for name, tensor in saved.items():
        assert torch.equal(tensor, unbroken.weights[name]), f"{name} of run {run}"
    # The engine adds up the pairs of a step, and the run tells their mean.
    compares = (config.run_folder(run) / REFERENCE_FILE).exists()
    divisor = PAIRS_OF_A_STEP if compares else 1
    assert [loss * divisor for _, loss in told] == unbroken.losses
