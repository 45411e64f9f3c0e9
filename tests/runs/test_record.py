"""A run's record, and the run again: on the true engine, the same curve to the last bit."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.records import SUMS
from tests.runs.conftest import Workshop
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.run_record import RunRecord, read_record
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.ids import RunId
from twinkle_jupyter.runs.batches import read_lines
from twinkle_jupyter.runs.input_digests import digest_base_model, digest_data
from twinkle_jupyter.service.repeats import repeating_fields
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.templates.chat_template import ChatTemplate

_SETTINGS: dict[str, Any] = {
    "steps": 14,
    "batch_size": 2,
    "schedule": "cosine",
    "eval_fraction": 0.2,
    "eval_every": 4,
}
_STEERED: tuple[Row, ...] = (
    {"at_step": 1, "weight_decay": 0.1},
    {"at_step": 4, "learning_rate": 4e-3},
    {"at_step": 9, "batch_size": 3, "steps": 18},
)


def _record(workshop: Workshop, run: RunId) -> RunRecord:
    return read_record(workshop.artifacts / "runs" / run)


async def _repeat(workshop: Workshop, record: RunRecord) -> RunId:
    """Add the run that a service adds for the record."""
    settings = RunConfig.model_validate(record.config).model_dump(exclude={"adapter", "base_model"})
    run = await workshop.add_run(**settings)
    row = (await workshop.row(run)).changed(**repeating_fields(record))
    await workshop.store.put(RunRow.key(run), row.to_row())
    return run


async def test_a_steered_run_from_its_record_has_the_same_curve(workshop: Workshop) -> None:
    run = await workshop.add_run(_STEERED, **_SETTINGS)
    await workshop.driver(run).drive()
    record = _record(workshop, run)
    assert record.outcome is not None
    assert (record.outcome.state, record.outcome.step) == ("finished", 18)
    assert [one.step for one in record.steering] == [1, 4, 9]
    assert record.config["learning_rate"] == 1e-3, "as it began, defaults filled in"
    assert record.data.num_rows == len(SUMS)
    assert {"python", "torch", "transformers"} <= set(record.versions)

    again = await _repeat(workshop, record)
    await workshop.driver(again).drive()
    assert await workshop.losses(again) == await workshop.losses(run)
    repeated = _record(workshop, again).outcome
    assert repeated == record.outcome


async def test_a_run_that_was_stopped_stops_there_again(workshop: Workshop) -> None:
    run = await workshop.add_run(**{**_SETTINGS, "steps": 5000})
    driving = workshop.driver(run)

    async def stop() -> None:
        await workshop.wait_for(run, "step", step=6)
        await workshop.want(run, "stopped")

    await asyncio.gather(driving.drive(), stop())
    record = _record(workshop, run)
    assert record.outcome is not None
    assert record.outcome.state == "stopped"
    again = await _repeat(workshop, record)
    await workshop.driver(again).drive()
    assert await workshop.losses(again) == await workshop.losses(run)
    assert _record(workshop, again).outcome == record.outcome


@pytest.mark.parametrize("what", ["base_model", "template"])
async def test_another_base_model_is_refused_before_the_first_step(
    workshop: Workshop, what: str
) -> None:
    run = await workshop.add_run(**_SETTINGS)
    await workshop.driver(run).drive()
    again = await _repeat(workshop, _record(workshop, run))
    row = await workshop.row(again)
    row = row.changed(repeats={**row.repeats, what: 64 * "0"})
    await workshop.store.put(RunRow.key(again), row.to_row())
    await workshop.driver(again).drive()
    row = await workshop.row(again)
    assert row.state == "failed"
    assert "is another one than was recorded" in row.reason
    assert "000000000000" in row.reason
    assert await workshop.losses(again) == []


async def test_a_record_is_there_while_the_run_goes_on(workshop: Workshop) -> None:
    run = await workshop.add_run(**{**_SETTINGS, "steps": 1})
    await workshop.want(run, "stopped")
    await workshop.driver(run).drive()
    with pytest.raises(InvalidConfigError, match="There is no record"):
        _record(workshop, run)  # nothing was read for a run that never began


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not json", "is not JSON"),
        ("{}", "`run_id`: field required"),
        ('{"format": 2}', "`format`: input should be 1"),
    ],
)
def test_what_is_no_record_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InvalidConfigError) as caught:
        read_record(tmp_path)
    assert says in str(caught.value)


def test_the_digest_of_a_base_model_is_that_of_its_numbers(
    tiny_model: Path, tmp_path: Path
) -> None:
    template = ChatTemplate.load(tiny_model)
    first = digest_base_model("a", tiny_model, template)
    assert digest_base_model("b", tiny_model, template).sha256 == first.sha256
    for file in tiny_model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert digest_base_model("a", tmp_path, template) == first
    (tmp_path / "README.md").write_text("not a number")
    assert digest_base_model("a", tmp_path, template) == first
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "rope_theta": 1.0}))
    assert digest_base_model("a", tmp_path, template) != first


def test_a_row_is_a_line_whatever_characters_it_has(tmp_path: Path) -> None:
    """JSON may hold what Unicode calls the end of a line, as texts from the web do."""
    text = "one\u2028two\u0085three"
    rows: list[object] = [{"prompt": text, "completion": "a\r\nb"}, {"prompt": "x"}]
    path = tmp_path / "records.jsonl"
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")
    assert list[object](read_lines(path)) == rows
    assert digest_data(path).num_rows == 2
