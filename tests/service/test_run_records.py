"""A run's record over HTTP, and runs that repeat one."""

from __future__ import annotations

import httpx
import pytest

from tests.recorded import recorded
from tests.service.conftest import RECORDS, Service
from twinkle_jupyter.config.run_record import RECORD_FILE, RunRecord
from twinkle_jupyter.store.records import RunRow

_CONFIG = {"adapter": "before", "base_model": "tiny", "steps": 40}


async def _repeat(service: Service, record: RunRecord, **changes: object) -> httpx.Response:
    body = {
        "config": {**record.config, "adapter": "again"},
        "records": RECORDS,
        "repeats": record.model_dump(mode="json"),
        **changes,
    }
    return await service.anna.post("/api/v1/runs", json=body)


async def test_a_record_and_its_rows_are_the_owners_alone(service: Service) -> None:
    run = await service.start()
    path = f"/api/v1/runs/{run['run_id']}"
    answer = await service.anna.get(f"{path}/record")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    record = recorded(_CONFIG, RECORDS)
    folder = service.config.run_folder(str(run["run_id"]))
    (folder / RECORD_FILE).write_text(record.model_dump_json())
    answer = await service.anna.get(f"{path}/record")
    assert RunRecord.model_validate(answer.json()) == record
    rows = await service.anna.get("/api/v1/runs/pirate/records")
    assert len(rows.text.splitlines()) == len(RECORDS)
    assert rows.headers["content-type"].startswith("application/x-ndjson")
    for what in ("record", "records"):
        assert (await service.ben.get(f"{path}/{what}")).status_code == 404
        assert (await service.nobody.get(f"{path}/{what}")).status_code == 401


async def test_a_run_that_repeats_another_has_its_steering(service: Service) -> None:
    outcome = {"state": "stopped", "step": 17, "loss": 0.5, "curve_sha256": 64 * "c"}
    record = recorded(_CONFIG, RECORDS, outcome=outcome)
    answer = await _repeat(service, record)
    assert answer.status_code == 201, answer.text
    row = await service.store.get(RunRow.key(answer.json()["run_id"]))
    assert row is not None
    run = RunRow.from_row(row)
    assert list(run.wishes) == [{"at_step": 7, "learning_rate": 3e-4}]
    assert run.repeats == {"base_model": 64 * "a", "template": 64 * "b"}
    assert run.stop_after == 17
    # What has not begun yet is no setting of the run.
    assert answer.json()["settings"]["learning_rate"] == 1e-3
    assert (await _repeat(service, record)).status_code == 200, "the same once more"
    other = recorded(_CONFIG, RECORDS, steering=[])
    assert (await _repeat(service, other)).status_code == 409


@pytest.mark.parametrize(
    ("record", "changes", "says"),
    [
        ({"parent": "run_a@20"}, {}, "went on from run_a@20"),
        ({}, {"config": {**_CONFIG, "seed": 3, "rank": 2}}, "`rank`, `seed` differ"),
        ({}, {"records": RECORDS[:1]}, "The rows are not those of run run_before"),
        ({}, {"repeats": {"format": 9}}, "`repeats` is no record"),
        ({}, {"from_adapter": "pirate"}, "There is no adapter 'pirate'"),
    ],
)
async def test_what_would_be_another_curve_is_refused(
    service: Service, record: dict[str, object], changes: dict[str, object], says: str
) -> None:
    answer = await _repeat(service, recorded(_CONFIG, RECORDS, **record), **changes)
    assert answer.status_code in {404, 422}, answer.text
    assert says in answer.json()["error"]["message"]
    assert (await service.anna.get("/api/v1/runs")).json()["runs"] == []
