"""A stock client of the Tinker protocol trains on while what it talks to is killed."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.contracts.client_environment import client_variables, make_client_environment
from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from twinkle_jupyter.client.discovery import find_connection

pytestmark = [pytest.mark.ray, pytest.mark.crash, pytest.mark.timeout(300)]

PROGRAM = Path(__file__).parents[1] / "contracts" / "programs" / "tinker_steps.py"
STEPS = 40
#: After so many steps, who dies.
KILLS = {5: "ray::TrainerActor", 15: "service", 25: "launch.cluster"}


def test_a_stock_client_trains_through_every_kill(
    service: Service, tiny_model: Path, tmp_path: Path
) -> None:
    python = make_client_environment(tmp_path / "client", "tinker==0.38.0")
    unbroken = _train(service, python, tiny_model, {})
    broken = _train(service, python, tiny_model, KILLS)
    assert [step[0] for step in broken] == list(range(1, STEPS + 1))
    assert broken == unbroken


def _train(
    service: Service, python: Path, model: Path, kills: dict[int, str]
) -> list[list[object]]:
    """Run the program to its end; return what it told of each step."""
    connection = find_connection()
    assert connection is not None
    command = [str(python), "-W", "ignore", str(PROGRAM), connection.url, str(model), str(STEPS)]
    told: list[list[object]] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=client_variables(connection.api_key),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            told.append(json.loads(line))
            victim = kills.get(len(told))
            if victim is not None:
                time.sleep(0.02)  # somewhere within the next step
                _kill(service, victim)
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert "Error" not in errors, errors
    return told


def _kill(service: Service, victim: str) -> None:
    if victim == "service":
        service.kill()
        service.start()
        return
    wait_until(lambda: service.find(victim), 60, f"having a {victim}")
    for process in service.find(victim):
        process.kill()
