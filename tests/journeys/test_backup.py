"""A backup that is taken while the service trains, and a service that goes on from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from tests.records import SUMS
from twinkle_jupyter.config.run_config import RunConfig

pytestmark = [pytest.mark.ray, pytest.mark.crash]

_BACKUP = Path(__file__).parents[2] / "deploy" / "backup.py"
_STEPS = 150


@pytest.fixture(autouse=True)
def _files_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the trainer put down what it has all the time, beside what the run saves."""
    monkeypatch.setenv("TWINKLE_TRAINER__CUT_EVERY_S", "0.5")


def _losses(service: Service) -> list[tuple[object, object]]:
    with service.client() as client:
        entries = [event.entry for event in client.events("sums", follow=False)]
    return [(one["step"], one["loss"]) for one in entries if one["kind"] == "step"]


def test_a_run_goes_on_from_a_backup_as_if_nothing_had_been(
    service: Service, tiny_model: Path, tmp_path: Path
) -> None:
    home, backups = Path(service.home), [tmp_path / "first", tmp_path / "second"]
    config = RunConfig(
        adapter="sums", base_model=str(tiny_model), steps=_STEPS, checkpoint_every=5, keep_last=1
    )

    def is_at(step: int) -> bool:
        with service.client() as client:
            return client.run("sums").step >= step

    with service.client() as client:
        client.start_run(config, SUMS)
    for step, backup in ((20, backups[0]), (70, backups[1])):
        wait_until(lambda step=step: is_at(step), 90, f"step {step}")  # type: ignore[misc]
        command = [sys.executable, "-I", str(_BACKUP), str(home), str(backup)]
        subprocess.run(command, check=True, timeout=30)
    wait_until(lambda: is_at(_STEPS), 90, "the run's end")
    unbroken = _losses(service)
    service.end()

    home.rename(tmp_path / "lost")
    backups[1].rename(home)
    service.start()
    with service.client() as client:
        assert client.run("sums").step < _STEPS, "it was taken on the way"
        wait_until(lambda: client.run("sums").state == "finished", 90, "the end once more")
    assert _losses(service) == unbroken
    assert sorted(one.name for one in (backups[0] / "artifacts" / "runs").iterdir())
