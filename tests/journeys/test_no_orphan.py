"""Whatever ends JupyterLab, nothing of ours outlives it."""

from __future__ import annotations

import json
import signal

import psutil
import pytest

from tests.journeys.conftest import Lab, LabStarter, wait_until

pytestmark = [pytest.mark.ray, pytest.mark.model, pytest.mark.crash]

#: What the issue promises.
_END_S = 15.0


def _phase(lab: Lab) -> object:
    return lab.api("GET", "/twinkle-jupyter/service").json()["phase"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
def test_nothing_remains_when_jupyterlab_ends(start_lab: LabStarter, number: int) -> None:
    lab = start_lab()
    assert lab.api("POST", "/twinkle-jupyter/service/start").is_success
    wait_until(lambda: _phase(lab) == "ready", 90, "starting the service")
    assert any("ray" in process.name() for process in lab.processes())

    lab.process.send_signal(number)

    wait_until(lambda: not lab.processes(), _END_S, "ending every process")
    lab.process.wait(1)


@pytest.mark.parametrize("victim", ["service", "cluster"])
def test_a_killed_part_comes_back_by_itself(start_lab: LabStarter, victim: str) -> None:
    lab = start_lab()
    lab.api("POST", "/twinkle-jupyter/service/start")
    wait_until(lambda: _phase(lab) == "ready", 90, "starting the service")
    if victim == "service":
        pid = lab.service_pid()
    else:
        head = (lab.home / "twinkle" / "cluster.json").read_text(encoding="utf-8")
        pid = int(json.loads(head)["pid"])

    psutil.Process(pid).kill()

    wait_until(lambda: not psutil.pid_exists(pid), 10, "dying")
    wait_until(lambda: _phase(lab) == "ready", 90, "coming back")
