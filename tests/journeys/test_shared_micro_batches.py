"""Two runs of a tiny model over Ray: steps shorter than the way there and back, in one batch."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.journeys.conftest import wait_until
from tests.journeys.micro_batches import read_micro_batches, read_runs
from tests.journeys.service_process import Service
from tests.records import SUMS
from twinkle_jupyter.config.run_config import RunConfig

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

STEPS = 200
RANKS = {"small": 4, "large": 16}


@pytest.fixture(autouse=True)
def _keeps_its_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_TRAINER__KEEPS_JOURNAL", "true")


def test_two_runs_of_a_tiny_model_share_micro_batches(service: Service, tiny_model: Path) -> None:
    home = Path(os.environ["TWINKLE_HOME"])
    with service.client() as client:
        for adapter, rank in RANKS.items():
            config = RunConfig(
                adapter=adapter,
                base_model=str(tiny_model),
                rank=rank,
                steps=STEPS,
                checkpoint_every=STEPS,
            )
            client.start_run(config, SUMS)
        for adapter in RANKS:
            wait_until(lambda: client.run(adapter).state == "finished", 90, "the end")  # noqa: B023
    runs = asyncio.run(read_runs(home))
    assert {run.adapter for run in runs.values()} == set(RANKS)
    batches = asyncio.run(read_micro_batches(home, str(tiny_model)))
    shared = sum(adapters == set(runs) for adapters in batches)
    print(f"{shared} of {len(batches)} micro-batches are of both")  # noqa: T201
    assert sum(len(adapters) for adapters in batches) == 2 * STEPS
    # One run may begin some moments before the other, and ends as much earlier.
    assert shared >= STEPS / 3
