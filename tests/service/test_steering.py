"""Steering, forks and checkpoints over HTTP, with a run whose log and folders a driver left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import Service
from twinkle_jupyter.runs.events import Steered
from twinkle_jupyter.runs.references import REFERENCE_FILE
from twinkle_jupyter.store.artifacts import commit_folder, has_folder
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import RunRow


async def _change(service: Service, run: object, **fields: object) -> None:
    def change(row: Row | None) -> Row:
        assert row is not None
        return {**row, **fields}  # type: ignore[dict-item]

    await service.store.update(RunRow.key(str(run)), change)


async def _post(
    client: httpx.AsyncClient, path: str, body: Mapping[str, object] | None = None
) -> httpx.Response:
    return await client.post(f"/api/v1/runs/{path}", json=body)


def _save(service: Service, run: object, step: int, content: str) -> Path:
    folder = service.config.checkpoint_folder(str(run), f"step-{step:06d}")

    def write(target: Path) -> None:
        (target / "weights").write_text(content)

    commit_folder(folder, write)
    return folder


async def _run_with_checkpoints(service: Service, state: str = "running") -> str:
    run = str((await service.start(batch_size=4, learning_rate=1e-3))["run_id"])
    for step in (20, 40):
        _save(service, run, step, f"weights of {step}")
    await _change(service, run, state=state, step=40, total_steps=40, checkpoint="step-000040")
    return run


async def test_a_wish_is_in_the_row_and_in_the_settings(service: Service) -> None:
    run = await service.start()
    body = {"changes": {"learning_rate": 3e-4, "probe": ["Who?"]}}
    answer = await _post(service.anna, f"{run['run_id']}/set", body)
    assert answer.status_code == 200, answer.text
    settings = answer.json()["settings"]
    assert (settings["learning_rate"], settings["probe"]) == (3e-4, ["Who?"])
    assert answer.json()["config"]["learning_rate"] == 1e-3
    answer = await _post(service.anna, "pirate/set", {"changes": {"steps": 80}})
    assert answer.json()["settings"]["learning_rate"] == 3e-4
    row = await service.store.get(RunRow.key(str(run["run_id"])))
    assert row is not None
    assert row["wishes"] == [body["changes"], {"steps": 80}]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rank": 4}, "`rank` cannot change while a run goes on."),
        ({"learning_rate": -1}, "learning_rate=-1"),
        ({"learning_rate": "fast", "batch_size": 0}, "batch_size=0"),
        ({"wings": 2}, "wings"),
        ({}, "No setting is given to change."),
        ({"checkpoint": "now"}, "checkpoint"),
        ({"at_step": 30, "learning_rate": 1e-4}, "at_step"),
        ({"steps": 12}, "`steps=12` is not more than the 12 that the run has taken."),
    ],
)
async def test_a_wish_that_makes_no_sense_changes_nothing(
    service: Service, changes: Mapping[str, object], says: str
) -> None:
    run = await service.start()
    await _change(service, run["run_id"], state="running", step=12)
    answer = await _post(service.anna, "pirate/set", {"changes": changes})
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["error"]["message"]
    row = await service.store.get(RunRow.key(str(run["run_id"])))
    assert row is not None
    assert list(row["wishes"]) == []  # type: ignore[arg-type]


async def test_a_run_that_is_over_is_not_steered(service: Service) -> None:
    run = await service.start()
    await _change(service, run["run_id"], state="finished")
    answer = await _post(service.anna, "pirate/set", {"changes": {"steps": 80}})
    assert answer.status_code == 409
    assert "fork pirate" in answer.json()["error"]["hint"]


async def test_the_best_is_kept_only_where_there_is_one(service: Service) -> None:
    run = await service.start()
    answer = await _post(service.anna, "pirate/stop", {"keep": "best"})
    assert answer.status_code == 409
    assert "no eval loss yet" in answer.json()["error"]["message"]
    await _change(service, run["run_id"], best_checkpoint="step-000010", best_step=10)
    answer = await _post(service.anna, "pirate/stop", {"keep": "best"})
    assert (answer.json()["wanted"], answer.json()["keep"]) == ("stopped", "best")


async def test_a_fork_has_the_very_files_of_its_parent(service: Service) -> None:
    parent = await _run_with_checkpoints(service)
    steered = Steered(step=11, wish=1, changes={"batch_size": 6, "learning_rate": 5e-4})
    await service.store.append(RunRow.log(parent), steered.to_entry())
    # What the answers of a preference run are compared with stays what it was.
    (service.config.run_folder(parent) / REFERENCE_FILE).write_bytes(b"scores")
    later = Steered(step=31, wish=2, changes={"learning_rate": 9e-4})
    await service.store.append(RunRow.log(parent), later.to_entry())

    answer = await _post(service.anna, "pirate/fork", {"step": 20, "changes": {"steps": 90}})
    assert answer.status_code == 201, answer.text
    child = answer.json()
    assert (child["adapter"], child["parent_run"], child["parent_step"]) == ("pirate-2", parent, 20)
    config = child["config"]
    assert (config["batch_size"], config["learning_rate"], config["steps"]) == (6, 5e-4, 90)
    row = await service.store.get(RunRow.key(child["run_id"]))
    assert row is not None
    # Ten steps of four rows, then ten of six.
    assert row["parent_rows"] == 100
    folder = service.config.run_folder(child["run_id"])
    assert (folder / "origin" / "weights").read_text() == "weights of 20"
    assert has_folder(folder / "origin")
    origin = service.config.run_folder(parent) / "records.jsonl"
    assert (folder / "records.jsonl").samefile(origin)
    assert (folder / REFERENCE_FILE).read_bytes() == b"scores"

    # Whatever becomes of the parent, the child has it.
    await _change(service, parent, state="stopped")
    deleted = await service.anna.delete("/api/v1/adapters/pirate")
    assert deleted.status_code == 204
    assert (folder / "origin" / "weights").read_text() == "weights of 20"


async def test_a_fork_needs_a_step_a_name_and_something_to_do(service: Service) -> None:
    await _run_with_checkpoints(service, "finished")
    answer = await _post(service.anna, "pirate/fork", {"step": 30, "changes": {"steps": 90}})
    assert answer.status_code == 404
    assert "steps 20, 40" in answer.json()["error"]["hint"]
    answer = await _post(service.anna, "pirate/fork", {})
    assert answer.status_code == 422
    assert "leaves nothing to do after step 40" in answer.json()["error"]["message"]
    body = {"adapter": "pirate", "changes": {"steps": 90}}
    answer = await _post(service.anna, "pirate/fork", body)
    assert answer.status_code == 409
    assert "There is an adapter 'pirate' already." in answer.json()["error"]["message"]
    answer = await _post(service.anna, "pirate/fork", {"adapter": "no good/", "changes": {}})
    assert answer.status_code == 422
    runs = (await service.anna.get("/api/v1/runs")).json()["runs"]
    assert len(runs) == 1


async def test_rewinding_ends_the_run_and_goes_on_under_its_name(service: Service) -> None:
    parent = await _run_with_checkpoints(service)

    async def end() -> None:
        while True:
            row = await service.store.get(RunRow.key(parent))
            if row is not None and row["wanted"] == "stopped":
                await _change(service, parent, state="stopped")
                return
            await asyncio.sleep(0.02)

    ending = asyncio.create_task(end())
    answer = await _post(service.anna, "pirate/rewind", {"step": 20})
    await ending
    assert answer.status_code == 201, answer.text
    child = answer.json()
    assert (child["adapter"], child["step"], child["parent_run"]) == ("pirate", 20, parent)
    newest = (await service.anna.get("/api/v1/runs/pirate")).json()
    assert newest["run_id"] == child["run_id"]


async def test_checkpoints_are_listed_named_and_deleted(service: Service) -> None:
    run = await _run_with_checkpoints(service, "finished")
    answer = await _post(service.anna, f"{run}/checkpoints", {"name": "good", "ttl_seconds": 60})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["step"], answer.json()["label"]) == (40, "good")
    listed = (await service.anna.get(f"/api/v1/runs/{run}/checkpoints")).json()["checkpoints"]
    assert [(one["step"], one["label"], one["size_bytes"]) for one in listed] == [
        (20, "", 13),
        (40, "good", 13),
    ]
    answer = await service.anna.delete(f"/api/v1/runs/{run}/checkpoints/step-000040")
    assert answer.status_code == 409
    answer = await service.anna.delete(f"/api/v1/runs/{run}/checkpoints/step-000020")
    assert answer.status_code == 204
    answer = await service.anna.delete(f"/api/v1/runs/{run}/checkpoints/step-000020")
    assert answer.status_code == 404


async def test_nobody_steers_or_forks_the_run_of_another(service: Service) -> None:
    run = await _run_with_checkpoints(service)
    bodies: dict[str, Mapping[str, object]] = {
        "set": {"changes": {"steps": 90}},
        "fork": {"changes": {"steps": 90}},
        "rewind": {"step": 20},
        "stop": {"keep": "last"},
        "checkpoints": {},
    }
    for verb, body in bodies.items():
        assert (await _post(service.ben, f"{run}/{verb}", body)).status_code == 404, verb
    assert (await service.ben.get(f"/api/v1/runs/{run}/checkpoints")).status_code == 404
    path = f"/api/v1/runs/{run}/checkpoints/step-000020"
    assert (await service.ben.delete(path)).status_code == 404
