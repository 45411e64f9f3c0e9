"""Sweeps over HTTP, with logs that drivers left."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from tests.service.conftest import RECORDS, Service
from twinkle_jupyter.runs.events import EvalDone, Planned, StepDone
from twinkle_jupyter.runs.sweep_driver import SweepDriver
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import RunRow

GRID = {"learning_rate": ["1e-4", "3e-4"], "rank": [4, 16]}


def _body(**changes: object) -> dict[str, object]:
    return {
        "name": "s",
        "config": {"base_model": "tiny", "steps": 40},
        "grid": GRID,
        "records": RECORDS,
        **changes,
    }


async def _start(service: Service, **changes: object) -> dict[str, object]:
    answer = await service.anna.post("/api/v1/sweeps", json=_body(**changes))
    assert answer.status_code == 201, answer.text
    body: dict[str, object] = answer.json()
    return body


def _members(sweep: Mapping[str, object]) -> list[dict[str, object]]:
    members = sweep["members"]
    assert isinstance(members, list)
    return members


async def _tell(service: Service, run: object, loss: float, steps: int = 20) -> None:
    """Let a member take steps and have an eval loss."""
    log = RunRow.log(str(run))
    events = [Planned(total_steps=40, num_train_rows=1, num_eval_rows=1)]
    entries = [event.to_entry() for event in events]
    for step in range(1, steps + 1):
        done = StepDone(
            step=step, loss=loss + 1, learning_rate=1e-3, grad_norm=1.0, num_tokens=9,
            num_supervised=3, seconds=0.1,
        )  # fmt: skip
        entries.append(done.to_entry())
    entries.append(EvalDone(step=steps, loss=loss).to_entry())
    await service.store.append_all(log, entries)


async def _change(service: Service, run: object, **fields: object) -> None:
    def change(row: Row | None) -> Row:
        assert row is not None
        return {**row, **fields}  # type: ignore[dict-item]

    await service.store.update(RunRow.key(str(run)), change)


async def test_a_sweep_is_a_group_of_ordinary_runs_with_one_copy_of_the_records(
    service: Service,
) -> None:
    sweep = await _start(service)
    members = _members(sweep)
    assert [one["adapter"] for one in members] == [
        *("s-lr1e-4-r4", "s-lr1e-4-r16", "s-lr3e-4-r4", "s-lr3e-4-r16"),
    ]
    assert members[2]["settings"] == {"learning_rate": 3e-4, "rank": 4}
    assert (sweep["state"], sweep["best"]) == ("queued", "")
    runs = (await service.anna.get("/api/v1/runs")).json()["runs"]
    assert {run["run_id"] for run in runs} == {one["run_id"] for one in members}
    assert {run["config"]["eval_fraction"] for run in runs} == {0.1}
    files = {
        os.stat(service.config.run_folder(str(one["run_id"])) / "records.jsonl").st_ino  # noqa: PTH116
        for one in members
    }
    assert len(files) == 1
    again = await service.anna.post("/api/v1/sweeps", json=_body())
    assert (again.status_code, again.json()["sweep_id"]) == (200, sweep["sweep_id"])
    other = await service.anna.post("/api/v1/sweeps", json=_body(halving=3))
    assert other.status_code == 409
    assert "A sweep 's' is under way with 4 runs." in other.text


async def test_every_mistake_is_named_and_nothing_is_started(service: Service) -> None:
    grid = {"learning_rate": ["fast"], "rank": [0], "probe": ["Hi", "Ho"]}
    answer = await service.anna.post("/api/v1/sweeps", json=_body(name="a b", grid=grid))
    assert answer.status_code == 422
    said = answer.json()["error"]["message"]
    for word in ("`name='a b'`", "`learning_rate='fast'`", "`rank=0`", "`probe` takes one value"):
        assert word in said
    body = _body(halving=3, config={"base_model": "tiny", "eval_fraction": 0})
    answer = await service.anna.post("/api/v1/sweeps", json=body)
    assert "`halving` compares eval losses" in answer.text
    assert (await service.anna.get("/api/v1/runs")).json() == {"runs": []}
    assert (await service.anna.get("/api/v1/sweeps")).json() == {"sweeps": []}


async def test_members_are_ranked_live_with_their_curves(service: Service) -> None:
    members = _members(await _start(service))
    for one, loss in zip(members, (3.0, 1.0, 2.0), strict=False):
        await _tell(service, one["run_id"], loss, steps=900)
    sweep = (await service.anna.get("/api/v1/sweeps/s?points=true")).json()
    assert [one["rank"] for one in sweep["members"]] == [3, 1, 2, 4]
    assert [one["eval_loss"] for one in sweep["members"]] == [3.0, 1.0, 2.0, None]
    first = sweep["members"][0]
    assert first["loss"] == pytest.approx(4.0)
    assert (first["points"][0], first["points"][-1]) == ([1, 4.0], [900, 4.0])
    assert 90 <= len(first["points"]) <= 200
    assert first["eval_points"] == [[900, 3.0]]

    await _tell(service, members[0]["run_id"], 0.5, steps=901)
    sweep = (await service.anna.get(f"/api/v1/sweeps/{sweep['sweep_id']}")).json()
    assert [one["rank"] for one in sweep["members"]] == [1, 2, 3, 4]
    assert sweep["members"][0]["points"] == []


async def test_members_are_pruned_by_name(service: Service) -> None:
    members = _members(await _start(service))
    await _tell(service, members[0]["run_id"], 1.0)
    answer = await service.anna.post("/api/v1/sweeps/s/prune", json={"members": ["x", "lr3e-4-r4"]})
    assert answer.status_code == 404
    assert "'x' is not in sweep 's'." in answer.text

    body = {"members": ["lr1e-4-r4", members[3]["run_id"]]}
    sweep = (await service.anna.post("/api/v1/sweeps/s/prune", json=body)).json()
    assert [one["pruned_at"] for one in sweep["members"]] == [20, None, None, 0]
    assert [one["pruned_by"] for one in sweep["members"]] == ["hand", "", "", "hand"]
    wanted = [run["wanted"] for run in (await service.anna.get("/api/v1/runs")).json()["runs"]]
    assert sorted(wanted) == ["running", "running", "stopped", "stopped"]


async def test_a_sweep_that_is_over_stands_for_its_best_and_can_be_extended(
    service: Service,
) -> None:
    sweep = await _start(service)
    members = _members(sweep)
    assert (await service.anna.get("/api/v1/runs/s")).status_code == 404
    for one, loss in zip(members, (3.0, 1.0, 2.0, 0.5), strict=True):
        await _tell(service, one["run_id"], loss)
        await _change(service, one["run_id"], state="finished", checkpoint="step-000040")
    await _change(service, members[3]["run_id"], state="failed")
    await SweepDriver(service.store, str(sweep["sweep_id"])).drive()

    done = (await service.anna.get("/api/v1/sweeps/s")).json()
    assert (done["state"], done["best"]) == ("finished", "s-lr1e-4-r16")
    best = (await service.anna.get("/api/v1/runs/s")).json()
    assert best["run_id"] == members[1]["run_id"]
    assert (await service.ben.get("/api/v1/runs/s")).status_code == 404
    conflict = await service.anna.post("/api/v1/sweeps/s/stop")
    assert conflict.status_code == 409

    answer = await service.anna.post("/api/v1/sweeps/s/extend", json={"grid": {"rank": [4]}})
    assert answer.status_code == 422
    assert "'s-lr1e-4-r4' is in the sweep already." in answer.text
    body = {"grid": {"learning_rate": ["3e-3"]}}
    more = (await service.anna.post("/api/v1/sweeps/s/extend", json=body)).json()
    assert [one["adapter"] for one in more["members"][4:]] == ["s-lr3e-3-r4", "s-lr3e-3-r16"]
    assert (more["state"], more["grid"]["learning_rate"]) == ("running", [1e-4, 3e-4, 3e-3])
    assert (await service.anna.get("/api/v1/runs/s")).status_code == 404
    records = service.config.run_folder(more["members"][5]["run_id"]) / "records.jsonl"
    assert records.stat().st_nlink == 6


async def test_a_stopped_sweep_stops_all_that_go_on(service: Service) -> None:
    members = _members(await _start(service))
    await _change(service, members[0]["run_id"], state="finished")
    await service.anna.post("/api/v1/sweeps/s/stop")
    runs = (await service.anna.get("/api/v1/runs")).json()["runs"]
    assert sum(run["wanted"] == "stopped" for run in runs) == 3
    [summary] = (await service.anna.get("/api/v1/sweeps")).json()["sweeps"]
    assert (summary["state"], summary["num_members"], summary["num_active"]) == ("running", 4, 3)


async def test_a_name_that_is_taken_is_refused_whole(service: Service) -> None:
    await service.start("s-lr1e-4-r4")
    answer = await service.anna.post("/api/v1/sweeps", json=_body())
    assert answer.status_code == 409
    assert "1 of the sweep's adapters are being trained: 's-lr1e-4-r4'." in answer.text
    await service.start("s")
    answer = await service.anna.post("/api/v1/sweeps", json=_body())
    assert "There is an adapter 's' already." in answer.text
    assert len((await service.anna.get("/api/v1/runs")).json()["runs"]) == 2
