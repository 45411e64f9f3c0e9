"""`GET /overview`: one answer for a sidebar, sent again only when there is something new."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.service.conftest import Service
from twinkle_jupyter.runs.events import StepDone
from twinkle_jupyter.service import overview
from twinkle_jupyter.service.run_curves import MAX_ENTRIES, MAX_POINTS, RunCurves
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import RunRow


def _step(step: int, loss: float, seconds: float = 0.5) -> StepDone:
    return StepDone(
        step=step, loss=loss, learning_rate=1e-3, grad_norm=1.0, num_tokens=9, num_supervised=4,
        seconds=seconds,
    )  # fmt: skip


async def _take_steps(service: Service, run_id: str, first: int, last: int) -> None:
    entries = [_step(step, 4 / step).to_entry() for step in range(first, last + 1)]
    await service.store.append_all(RunRow.log(run_id), entries)
    await _change(service, run_id, state="running", step=last, loss=4 / last)


async def _change(service: Service, run_id: str, **changes: object) -> None:
    def change(row: Row | None) -> Row:
        assert row is not None
        return RunRow.from_row(row).changed(**changes).to_row()  # type: ignore[arg-type]

    await service.store.update(RunRow.key(run_id), change)


async def _ask(service: Service, **query: object) -> dict[str, Any]:
    answer = await service.anna.get("/api/v1/overview", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_it_has_runs_with_curves_adapters_models_and_limits(service: Service) -> None:
    started = await service.start("pirate", rank=4)
    run_id = str(started["run_id"])
    await _take_steps(service, run_id, 1, 300)

    body = await _ask(service)

    run = body["runs"][0]
    assert (run["adapter"], run["rank"], run["state"], run["step"]) == ("pirate", 4, "running", 300)
    assert run["points"][0] == [1, 4.0]
    assert run["points"][-1] == [300, 0.01333]
    assert len(run["points"]) <= MAX_POINTS + 1
    assert run["seconds_per_step"] == 0.5
    assert [one["name"] for one in body["adapters"]] == ["pirate"]
    assert [(one["name"], one["num_slots"]) for one in body["base_models"]] == [("tiny", 64)]
    assert {one["name"] for one in body["limits"]} >= {"adapters", "tokens_per_minute"}
    others = (await service.ben.get("/api/v1/overview")).json()
    assert (others["runs"], others["adapters"]) == ([], [])


async def test_who_has_it_all_waits_until_something_is_new(service: Service) -> None:
    run_id = str((await service.start())["run_id"])
    first = await _ask(service)

    began = time.monotonic()
    same = await _ask(service, seen=first["tag"], wait_s=0.3)
    waited = time.monotonic() - began
    asking = asyncio.create_task(_ask(service, seen=first["tag"], wait_s=10))
    await asyncio.sleep(0.05)
    await _take_steps(service, run_id, 1, 2)
    began = time.monotonic()
    news = await asking

    assert (same["tag"], waited >= 0.3) == (first["tag"], True)
    assert news["tag"] != first["tag"]
    assert news["runs"][0]["step"] == 2
    assert time.monotonic() - began < 2 * overview.TICK_S


async def test_old_runs_are_counted_and_not_listed(service: Service, monkeypatch: Any) -> None:
    monkeypatch.setattr(overview, "MAX_ENDED", 2)
    for number in range(4):
        run_id = str((await service.start(f"r{number}"))["run_id"])
        if number > 0:
            await _change(service, run_id, state="finished")

    body = await _ask(service)

    assert [run["adapter"] for run in body["runs"]] == ["r3", "r2", "r0"]
    assert body["num_older_runs"] == 1


async def test_a_long_log_is_read_from_near_its_end_and_only_once(service: Service) -> None:
    run_id = str((await service.start())["run_id"])
    log = RunRow.log(run_id)
    entries = [_step(step, 1.0).to_entry() for step in range(1, MAX_ENTRIES + 501)]
    await service.store.append_all(log, entries)
    row = await service.store.get(RunRow.key(run_id))
    assert row is not None
    curves = RunCurves(service.store)

    curve = await curves.read(RunRow.from_row(row))
    first, position = curve.points[0][0], curve.position
    await service.store.append(log, _step(MAX_ENTRIES + 501, 2.0).to_entry())
    again = await curves.read(RunRow.from_row(row))

    assert first > 400
    assert again is curve
    assert again.position == position + 1
    assert again.points[-1] == (MAX_ENTRIES + 501, 2.0)
