"""A run under a real service, over Ray, while its processes are killed one after another."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from tests.records import SUMS
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.config.run_config import RunConfig

pytestmark = [pytest.mark.ray, pytest.mark.crash]


def _steps(client: Client, run: str) -> list[tuple[object, object]]:
    with client.events(run, follow=False) as events:
        return [(e.entry["step"], e.entry["loss"]) for e in events if e.entry["kind"] == "step"]


def _interruptions(client: Client, run: str) -> int:
    with client.events(run, follow=False) as events:
        return sum(1 for e in events if e.entry.get("state") == "interrupted")


def _last(client: Client, run: str) -> int:
    return len(_steps(client, run))


def _wait_for_more(
    count: Callable[[Client, str], int], client: Client, run: str, what: str
) -> None:
    seen = count(client, run)
    wait_until(lambda: count(client, run) > seen, 60, what)


def test_a_run_is_the_same_whatever_dies_around_it(service: Service, tiny_model: Path) -> None:
    def config(name: str) -> RunConfig:
        return RunConfig(
            adapter=name,
            base_model=str(tiny_model),
            steps=800,
            checkpoint_every=20,
            learning_rate=1e-4,
        )

    with service.client() as client:
        unbroken = client.start_run(config("unbroken"), SUMS).run_id
        wait_until(lambda: client.run(unbroken).state == "finished", 120, "the unbroken run")
        expected = _steps(client, unbroken)
        run = client.start_run(config("broken"), SUMS).run_id
        wait_until(lambda: _last(client, run) > 50, 60, "the first steps")

    # The HTTP service alone: training goes on without it.
    service.kill()
    service.start()
    with service.client() as client:
        after_service = _last(client, run)
        assert after_service > 50
        assert _interruptions(client, run) == 0

        for actor in ("ray::TrainerActor", "ray::RunsActor"):
            (victim,) = service.find(actor)
            victim.kill()
            _wait_for_more(_interruptions, client, run, f"missing {actor}")
            _wait_for_more(_last, client, run, f"going on after {actor}")

    # Service and cluster together, as when the machine loses power.
    head = json.loads(Path(service.home, "cluster.json").read_text(encoding="utf-8"))
    os.kill(int(head["pid"]), signal.SIGKILL)
    service.kill()
    wait_until(lambda: not service.processes(), 15, "ending every process")
    service.start()
    with service.client() as client:
        wait_until(lambda: client.run(run).state == "finished", 120, "the broken run")
        assert _steps(client, run) == expected
