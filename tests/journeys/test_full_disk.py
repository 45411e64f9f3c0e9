"""A disk that takes nothing more while a run trains: it waits, and nothing is lost or corrupted.

No file of our processes may grow beyond a size that they have all passed: each write fails as it
does on a full disk, in SQLite, in checkpoints and in logs alike. Then there is room again.
"""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from tests.records import SUMS
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.store.artifacts import list_folders, read_manifest

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

#: Ours; Ray's own processes, which are not Python's, would be ended by the signal that comes first.
OURS = ("ray::TrainerActor", "ray::RunsActor", "twinkle_jupyter")
FULL_BYTES = 4096
FULL_S = 12.0
STEPS = 60


def test_a_run_waits_for_room_on_the_disk(service: Service, tiny_model: Path) -> None:
    with service.client() as client:
        unbroken = _start(client, tiny_model, "unbroken")
        _wait_for_end(client, unbroken)
        run = _start(client, tiny_model, "waiting")
        wait_until(lambda: client.run(run).step >= 10, 60, "ten steps")
        processes = {process.pid for process in service.find(*OURS)}
        _limit(service, FULL_BYTES)
        time.sleep(1.0)  # what was under way ends
        before = client.run(run).step
        time.sleep(FULL_S)
        # Nothing is told that is not on disk, and whoever asks is answered.
        assert client.run(run).step <= before + 1
        assert client.run(run).state in {"running", "interrupted"}
        _limit(service, psutil.RLIM_INFINITY)
        started = time.monotonic()
        _wait_for_end(client, run)
        # By those who waited, and not by others that had to be started in their place.
        assert time.monotonic() - started < 20
        assert {process.pid for process in service.find(*OURS)} == processes

        assert _losses(client, run) == _losses(client, unbroken)
        ends = [Path(client.run(one).checkpoint_folder) for one in (unbroken, run)]
        first, second = (load_file(end / "adapter_model.safetensors") for end in ends)
        assert all(torch.equal(first[name], second[name]) for name in first)
        for name in list_folders(ends[1].parent):
            read_manifest(ends[1].parent / name, verify=True)
        assert not [path for path in ends[1].parent.iterdir() if path.name.startswith(".")]


def _start(client: Client, model: Path, adapter: str) -> str:
    config = RunConfig(
        adapter=adapter,
        base_model=str(model),
        steps=STEPS,
        batch_size=2,
        checkpoint_every=5,
        keep_last=4,
    )
    return client.start_run(config, SUMS).run_id


def _wait_for_end(client: Client, run: str) -> None:
    wait_until(lambda: client.run(run).state == "finished", 120, f"the end of {run}")


def _losses(client: Client, run: str) -> list[tuple[object, object]]:
    with client.events(run, follow=False) as events:
        rows = [dict(e.entry) for e in events if e.entry["kind"] == "step"]
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    return [(row["loss"], row["grad_norm"]) for row in rows]


def _limit(service: Service, size: int) -> None:
    for process in service.find(*OURS):
        process.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))
