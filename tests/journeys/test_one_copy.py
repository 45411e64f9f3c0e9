"""Trainer and sampler in one process over one copy of the base model, killed in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from tests.records import SUMS
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.config.run_config import RunConfig

pytestmark = [pytest.mark.ray, pytest.mark.crash]

ACTOR = "ray::TrainerWithSamplerActor"
STEPS = 40


@pytest.fixture(autouse=True)
def _one_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_SAMPLER__PLACEMENT", "with_trainer")


def test_a_kill_takes_both_and_both_come_back(service: Service, tiny_model: Path) -> None:
    config = RunConfig(adapter="first", base_model=str(tiny_model), steps=STEPS)
    with service.client() as client:
        client.start_run(config, SUMS)
        wait_until(lambda: client.run("first").state == "finished", 90, "the first run's end")
        expected = _answer(client, "first")
        [actor] = service.find(ACTOR)
        assert service.find("ray::SamplerActor", "ray::TrainerActor") == []

        client.start_run(config.model_copy(update={"adapter": "second"}), SUMS)
        wait_until(lambda: len(_steps(client, "second")) >= 3, 60, "some steps")
        actor.kill()
        assert len(_steps(client, "second")) < STEPS, "it is killed in the middle"
        wait_until(lambda: client.run("second").state == "finished", 90, "the second run's end")
        assert _steps(client, "second") == _steps(client, "first")
        assert _answer(client, "second") == expected == _answer(client, "first")
        [restarted] = service.find(ACTOR)
        assert restarted.pid != actor.pid


def _steps(client: Client, run: str) -> list[tuple[object, object]]:
    with client.events(run, follow=False) as events:
        entries = [event.entry for event in events]
    return [(entry["step"], entry["loss"]) for entry in entries if entry["kind"] == "step"]


def _answer(client: Client, adapter: str) -> str:
    messages = [{"role": "user", "content": "1 + 1?"}]
    parts = client.sample(adapter, messages, temperature=1.0, seed=1, max_tokens=16)
    return "".join(part.text for part in parts)
