"""Runs over HTTP: started once, found, steered, refused in a sentence."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.service.conftest import RECORDS, Service
from twinkle_jupyter.service import runs
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import RunRow


async def _change(service: Service, run: object, **changes: object) -> None:
    def change(row: Row | None) -> Row:
        assert row is not None
        return RunRow.from_row(row).changed(**changes).to_row()  # type: ignore[arg-type]

    await service.store.update(RunRow.key(str(run)), change)


async def test_a_run_is_queued_with_its_records_and_the_driver_is_woken(service: Service) -> None:
    run = await service.start(rank=4)
    run_id = str(run["run_id"])
    assert {key: run[key] for key in ("adapter", "state", "wanted", "step", "last_event_id")} == {
        "adapter": "pirate",
        "state": "queued",
        "wanted": "running",
        "step": 0,
        "last_event_id": 1,
    }
    assert isinstance(run["config"], dict)
    assert run["config"]["rank"] == 4
    lines = (service.config.run_folder(run_id) / "records.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == RECORDS
    assert [p.name for p in service.config.run_folder(run_id).iterdir()] == ["records.jsonl"]
    events = [entry.entry for entry in await service.store.read(RunRow.log(run_id))]
    assert [(event["kind"], event["state"]) for event in events] == [("state", "queued")]
    assert [e.entry for e in await service.store.read("runs")] == [{"run_id": run_id}]
    assert (await service.anna.get("/api/v1/runs/pirate")).json() == run
    assert (await service.anna.get(f"/api/v1/runs/{run_id}")).json() == run


async def test_every_mistake_is_named_and_nothing_is_started(service: Service) -> None:
    config = {"rank": 0, "learning_rate": 2, "ranc": 1, "base_model": "tiny"}
    answer = await service.anna.post("/api/v1/runs", json={"config": config, "records": RECORDS})
    assert answer.status_code == 422
    assert answer.json() == {
        "error": {
            "code": "invalid_config",
            "message": "`rank=0` is not at least 1. `learning_rate=2` is more than 0.1. "
            "`ranc` is not a setting; did you mean `rank`?",
            "hint": "Nothing was started.",
        }
    }
    assert not service.config.artifacts.exists()
    assert await service.store.last_position("runs") == 0


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        (b"{", 400, "invalid_request", "The body is not JSON: EOF while parsing an object"),
        (b"[]", 400, "invalid_request", "`body=[]` is not a mapping of names to values."),
        (b"{}", 400, "invalid_request", "`config` is missing. `records` is missing."),
        (b'{"config":{},"records":[1]}', 400, "invalid_request", "`records[0]=1` is not a mapping"),
        (b'{"config":{},"records":[],"x":1}', 400, "invalid_request", "`x` is not a setting."),
        (b'{"config":{"base_model":"big"},"records":[]}', 422, "invalid_config", "no base model"),
        (b'{"config":{"adapter":"base"},"records":[]}', 422, "invalid_config", "base model itself"),
        (b'{"config":{"base_model":"tiny"},"records":[]}', 422, "invalid_data", "is empty"),
        (
            b'{"config":{"base_model":"tiny"},"records":[{"messages":[{"role":"bot","content":""}]'
            b"}]}",
            422, "invalid_data", "row 1",
        ),
    ],
)  # fmt: skip
async def test_a_bad_request_is_one_sentence(
    service: Service, body: bytes, status: int, code: str, message: str
) -> None:
    answer = await service.anna.post("/api/v1/runs", content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert message in error["message"]


async def test_the_same_cell_run_twice_is_the_same_run(service: Service) -> None:
    first = await service.start()
    config = {"adapter": "pirate", "base_model": "tiny", "steps": 40}
    again = await service.anna.post("/api/v1/runs", json={"config": config, "records": RECORDS})
    assert (again.status_code, again.json()) == (200, first)
    assert await service.store.last_position("runs") == 1


async def test_an_adapter_is_trained_by_one_run_at_a_time(service: Service) -> None:
    first = await service.start()
    await _change(service, first["run_id"], state="running", step=12, total_steps=40)
    config = {"adapter": "pirate", "base_model": "tiny", "steps": 41}
    body = {"config": config, "records": RECORDS}
    refused = await service.anna.post("/api/v1/runs", json=body)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (409, "conflict")
    assert error["message"] == (
        f"Adapter 'pirate' is being trained by run {first['run_id']} (step 12 of 40)."
    )
    assert "`%twinkle stop-run pirate`" in error["hint"]
    assert (await service.ben.post("/api/v1/runs", json=body)).status_code == 201
    await _change(service, first["run_id"], state="finished")
    assert (await service.anna.post("/api/v1/runs", json=body)).status_code == 201


async def test_of_requests_at_once_one_gets_the_name(service: Service) -> None:
    async def post(steps: int) -> int:
        config = {"adapter": "pirate", "base_model": "tiny", "steps": steps}
        body = {"config": config, "records": RECORDS}
        return (await service.anna.post("/api/v1/runs", json=body)).status_code

    statuses = await asyncio.gather(*(post(steps) for steps in range(1, 9)))
    assert sorted(statuses) == [201] + [409] * 7
    assert len((await service.anna.get("/api/v1/runs")).json()["runs"]) == 1
    assert len(list((service.config.artifacts / "runs").iterdir())) == 1  # no records of losers


async def test_a_run_that_is_being_stopped_is_waited_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await service.start()
    await service.anna.post("/api/v1/runs/pirate/stop")
    again = asyncio.create_task(service.start())
    await service.store.append(RunRow.log(str(first["run_id"])), {"kind": "checkpoint"})
    await _change(service, first["run_id"], state="stopped")
    assert (await asyncio.wait_for(again, 5))["run_id"] != first["run_id"]
    await service.anna.post("/api/v1/runs/pirate/stop")
    monkeypatch.setattr(runs, "STOP_WAIT_S", 0.1)
    config = {"adapter": "pirate", "base_model": "tiny", "steps": 40}
    late = await service.anna.post("/api/v1/runs", json={"config": config, "records": RECORDS})
    assert late.status_code == 409


async def test_a_wish_is_written_and_wakes_the_driver(service: Service) -> None:
    run_id = (await service.start())["run_id"]
    wanted = [
        (await service.anna.post(f"/api/v1/runs/pirate/{command}")).json()["wanted"]
        for command in ("pause", "pause", "resume", "stop", "stop")
    ]
    assert wanted == ["paused", "paused", "running", "stopped", "stopped"]
    last = (await service.store.read("runs"))[-1]
    assert last.entry == {"run_id": run_id, "command": "stop"}
    for command in ("pause", "resume"):
        answer = await service.anna.post(f"/api/v1/runs/{run_id}/{command}")
        assert answer.status_code == 409
        assert "is being stopped" in answer.json()["error"]["message"]


@pytest.mark.parametrize("command", ["pause", "resume", "stop"])
async def test_a_run_that_is_over_takes_no_command(service: Service, command: str) -> None:
    run_id = (await service.start())["run_id"]
    await _change(service, run_id, state="finished")
    answer = await service.anna.post(f"/api/v1/runs/pirate/{command}")
    assert answer.status_code == 409
    assert answer.json()["error"]["message"] == f"Run {run_id} of adapter 'pirate' is finished."


async def test_an_unknown_run_is_a_sentence_with_the_nearest_name(service: Service) -> None:
    await service.start()
    answer = await service.anna.get("/api/v1/runs/pirat")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "code": "not_found",
        "message": "There is no run or adapter 'pirat'.",
        "hint": "Did you mean 'pirate'?",
    }


async def test_runs_are_listed_newest_first(service: Service) -> None:
    names = ["a", "b", "c"]
    for index, name in enumerate(names):
        run = await service.start(name)
        await _change(service, run["run_id"], created_at=f"2026-01-0{index + 1}T00:00:00+00:00")
    listed = (await service.anna.get("/api/v1/runs")).json()["runs"]
    assert [run["adapter"] for run in listed] == ["c", "b", "a"]
    assert (await service.anna.get("/api/v1/service")).json() == {
        "version": "0.1.0", "phase": "ready", "message": "", "base_models": ["tiny"],
        "computed_in": {},
        "num_active_runs": 3, "broadcast": None, "maintenance": None,
    }  # fmt: skip


async def test_an_adapter_is_listed_and_deleted_with_its_weights(service: Service) -> None:
    run = await service.start(rank=4)
    run_id = str(run["run_id"])
    folder = service.config.checkpoint_folder(run_id, "step-000040")
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"x")
    assert (await service.anna.delete("/api/v1/adapters/pirate")).status_code == 409
    await _change(service, run_id, state="finished", step=40, checkpoint="step-000040")
    row = await service.store.get(RunRow.key(run_id))
    assert row is not None
    assert (await service.anna.get("/api/v1/adapters")).json()["adapters"] == [
        {
            "name": "pirate", "adapter_id": row["adapter_id"], "base_model": "tiny", "rank": 4,
            "alpha": 8.0, "run_id": run_id, "state": "finished", "step": 40, "folder": str(folder),
            "origin": "run", "details": None,
        }
    ]  # fmt: skip
    assert (await service.anna.delete("/api/v1/adapters/pirate")).status_code == 204
    assert (await service.anna.delete("/api/v1/adapters/pirate")).status_code == 404
    assert not folder.exists()
    assert (await service.anna.get("/api/v1/adapters")).json() == {"adapters": []}
    kept = (await service.anna.get("/api/v1/runs/pirate")).json()  # its curve stays
    assert (kept["run_id"], kept["checkpoint"], kept["checkpoint_folder"]) == (run_id, "", "")
    assert (await service.start())["run_id"] != run_id


async def test_records_that_cannot_be_written_start_nothing(
    service: Service, tmp_path: Path
) -> None:
    service.config.artifacts.mkdir()
    (service.config.artifacts / "runs").touch()  # a file where the folder should be
    config = {"adapter": "pirate", "base_model": "tiny"}
    answer = await service.anna.post("/api/v1/runs", json={"config": config, "records": RECORDS})
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "The records cannot be written: Not a directory."
    assert (await service.anna.get("/api/v1/runs")).json() == {"runs": []}
