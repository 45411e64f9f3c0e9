"""Steering, forking and going back, over a real service and Ray."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from tests.records import SUMS
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.config.run_config import RunConfig

pytestmark = [pytest.mark.ray]


def _entries(client: Client, run: str, kind: str) -> list[dict[str, object]]:
    with client.events(run, follow=False) as events:
        return [dict(e.entry) for e in events if e.entry["kind"] == kind]


def _losses(client: Client, run: str) -> dict[object, object]:
    return {e["step"]: e["loss"] for e in _entries(client, run, "step")}


def _wait_for_end(client: Client, run: str) -> None:
    wait_until(lambda: client.run(run).state == "finished", 90, f"the end of {run}")


def test_a_run_is_steered_forked_and_taken_back(service: Service, tiny_model: Path) -> None:
    config = RunConfig(
        adapter="first",
        base_model=str(tiny_model),
        steps=40,
        batch_size=3,
        checkpoint_every=10,
        keep_last=10,
        schedule="linear",
    )
    with service.client() as client:
        first = client.start_run(config, SUMS).run_id
        _wait_for_end(client, first)
        losses = _losses(client, first)

        # The same steps again from the fork's weights, moments and rows: bit by bit the same.
        fork = client.fork("first", step=20, adapter="second")
        assert (fork.parent_run, fork.parent_step, fork.step) == (first, 20, 20)
        _wait_for_end(client, fork.run_id)
        assert _losses(client, fork.run_id) == {s: losses[s] for s in range(21, 41)}
        ends = [
            load_file(Path(client.run(run).checkpoint_folder) / "adapter_model.safetensors")
            for run in (first, fork.run_id)
        ]
        assert all(torch.equal(ends[0][name], tensor) for name, tensor in ends[1].items())

        back = client.rewind("second", 30, steps=100_000)
        assert (back.adapter, back.parent_run) == ("second", fork.run_id)
        wait_until(lambda: client.run("second").step > 40, 60, "going on from step 30")
        _check_latency(client, back.run_id)

        kept = client.checkpoint("second", label="good")
        assert Path(kept.folder, "adapter_model.safetensors").exists()
        client.set("second", steps=client.run("second").step + 30)
        _wait_for_end(client, back.run_id)
        steps = sorted(map(int, map(str, _losses(client, back.run_id))))
        assert steps == list(range(31, client.run("second").total_steps + 1))
        assert kept.name in {one.name for one in client.checkpoints("second")}


def test_a_run_is_repeated_from_its_record(
    service: Service, tiny_model: Path, tmp_path: Path
) -> None:
    config = RunConfig(
        adapter="first", base_model=str(tiny_model), steps=100_000, schedule="cosine", seed=5
    )
    with service.client() as client:
        first = client.start_run(config, SUMS).run_id
        wait_until(lambda: client.run(first).step > 10, 60, "the first steps")
        client.set(first, learning_rate=5e-3, batch_size=2)
        wait_until(lambda: len(_entries(client, first, "steered")) == 1, 30, "steering")
        client.stop(first)
        wait_until(lambda: client.run(first).state == "stopped", 30, "stopping")
        for words in (
            ("record", "first", "--to", "kept"),
            ("train", "--from", "kept", "--adapter", "again", "--wait"),
        ):
            command = [sys.executable, "-m", "twinkle_jupyter.cli", *words]
            done = subprocess.run(
                command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=90
            )
            assert done.returncode == 0, done.stdout + done.stderr
        assert _losses(client, "again") == _losses(client, first)
        assert client.record("again").outcome == client.record(first).outcome


def _check_latency(client: Client, run: str) -> None:
    """Another rate counts from the next step that is not on its way yet."""
    before = client.run(run).step
    client.set(run, learning_rate=7e-4, schedule="constant")
    answered = client.run(run).step
    wait_until(lambda: _entries(client, run, "steered"), 30, "taking the wish")
    [steered] = _entries(client, run, "steered")
    first = int(str(steered["step"]))
    # At most the step under way when the answer came, and the one after it.
    assert before < first <= answered + 2
    deadline = time.monotonic() + 30
    while (rates := _rates(client, run)).keys() and max(rates) < first:
        assert time.monotonic() < deadline
    assert rates[first] == 7e-4
    assert rates[first - 1] != 7e-4


def _rates(client: Client, run: str) -> dict[int, object]:
    return {int(str(e["step"])): e["learning_rate"] for e in _entries(client, run, "step")}


def test_a_sweep_is_halved_and_its_name_is_its_best_adapter(
    service: Service, tiny_model: Path
) -> None:
    with service.client() as client:
        sweep = client.start_sweep(
            "kit",
            {"learning_rate": [1e-6, 3e-3], "rank": [2, 4]},
            SUMS,
            halving=2,
            base_model=str(tiny_model),
            steps=400,
            eval_every=20,
        )
        assert sweep.wait(120) == "finished"
        body = sweep.body(points=True)
        stopped = {one.adapter: one.step for one in body.members if one.pruned_by == "halving"}
        assert len(stopped) == 3
        assert {"kit-lr1e-6-r2", "kit-lr1e-6-r4"} <= stopped.keys()
        assert all(100 <= step < 400 for step in stopped.values())
        assert sum(one.step == 400 for one in body.members) == 1
        [best] = [one for one in body.members if one.rank == 1]
        assert (body.best, client.run("kit").run_id) == (best.adapter, best.run_id)
        # The members went side by side: who is stopped at the first rung saw the others there.
        assert all(one.points and one.points[0][0] == 1 for one in body.members)
