"""Two samplers of one base model, over a real service and Ray."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from tests.records import SUMS
from twinkle_jupyter.config.run_config import RunConfig

pytestmark = [pytest.mark.ray, pytest.mark.crash]


@pytest.fixture(autouse=True)
def _two_samplers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_SAMPLER__REPLICAS", "2")


def test_two_samplers_answer_alike_and_one_stands_in_for_the_other(
    service: Service, tiny_model: Path
) -> None:
    config = RunConfig(adapter="sums", base_model=str(tiny_model), steps=5)
    messages = [{"role": "user", "content": "1 + 1?"}]

    def answer(seed: int) -> str:
        with service.client() as client:
            parts = client.sample("sums", messages, temperature=1.0, seed=seed, max_tokens=24)
            return "".join(part.text for part in parts)

    with service.client() as client, ThreadPoolExecutor(8) as threads:
        client.start_run(config, SUMS)
        wait_until(lambda: client.run("sums").state == "finished", 90, "the run's end")
        before = list(threads.map(answer, [1, 2] * 4))
        assert len(set(before)) == 2
        assert before == before[:2] * 4
        samplers = service.find("ray::SamplerActor")
        assert len(samplers) == 2
        processes = [*samplers, *service.find("ray::TrainerActor")]
        wait_until(lambda: len(_weights_of(processes)) == 3, 60, "the second sampler's weights")
        _check_shared_pages(processes)
        # While Ray starts it again, and when it is back without any adapter.
        samplers[0].kill()
        assert list(threads.map(answer, [1, 2] * 4)) == before
        wait_until(lambda: _is_replaced(service, samplers[0].pid), 60, "another sampler")
        assert list(threads.map(answer, [1, 2] * 4)) == before


def _check_shared_pages(processes: list[psutil.Process]) -> None:
    """All three map the base model's file: of what they read of it, memory has one copy."""
    weights = _weights_of(processes)
    assert len(weights) == len(processes) == 3
    assert all(one.anonymous == 0 for one in weights)
    assert sum(one.pss for one in weights) < 1.1 * max(one.rss for one in weights)


def _weights_of(processes: list[psutil.Process]) -> list[Any]:
    """Return where the processes have a base model's file; psutil's own type has no name."""
    maps = [one for process in processes for one in process.memory_maps(grouped=False)]
    return [one for one in maps if one.path.endswith(".safetensors")]


def _is_replaced(service: Service, pid: int) -> bool:
    alive = [process.pid for process in service.find("ray::SamplerActor")]
    return len(alive) == 2 and pid not in alive
