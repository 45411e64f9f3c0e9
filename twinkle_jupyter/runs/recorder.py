"""Writes a run's `run.json`: what it begins with once that is known, how it ended at its end.

The digests are made beside training. A disk that is full costs the record, never the run.
"""

from __future__ import annotations

import asyncio
import logging
import platform
from pathlib import Path
from uuid import uuid4

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.run_record import (
    RECORD_FILE,
    RECORDS_FILE,
    RecordedOutcome,
    RecordedSteering,
    RunRecord,
)
from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.runs.compute import PreparedModel
from twinkle_jupyter.runs.input_digests import digest_base_model, digest_data, read_versions
from twinkle_jupyter.runs.run_log import RunLog
from twinkle_jupyter.runs.steering import CHECKPOINT
from twinkle_jupyter.store.artifacts import sync_path
from twinkle_jupyter.store.records import TERMINAL_STATES, RunRow, RunState
from twinkle_jupyter.templates.chat_template import ChatTemplate

_LOGGER = logging.getLogger(__name__)


class Recorder:
    """One run's record.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writing: asyncio.Task[RunRecord] | None = None

    async def begin(self, row: RunRow, model: PreparedModel, template: ChatTemplate) -> None:
        """Have the record written; of a run that repeats another, see that it can.

        Raises:
            RunFailedError: The base model or its template is another one than was recorded.
        """
        if self._writing is None:
            work = asyncio.to_thread(self._write_first, row, model, template)
            self._writing = asyncio.get_running_loop().create_task(work)
            self._writing.add_done_callback(_note_failure)
        if row.repeats:
            _check_same(await asyncio.shield(self._writing), row)

    async def note(self, log: RunLog, state: RunState, step: int) -> None:
        """Add steering and outcome as a run ends, if there is a record to add them to."""
        if state not in TERMINAL_STATES:
            return
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await asyncio.to_thread(self._write_last, log, state, step)

    def _write_first(self, row: RunRow, model: PreparedModel, template: ChatTemplate) -> RunRecord:
        config = RunConfig.model_validate(dict(row.config))
        parent = f"{row.parent_run}@{row.parent_step}" if row.parent_run else ""
        record = RunRecord(
            run_id=row.run_id,
            adapter=row.adapter,
            created_at=row.created_at,
            config=config.model_dump(mode="json"),
            data=digest_data(self._folder / RECORDS_FILE),
            base_model=digest_base_model(config.base_model, model.folder, template),
            parent=parent,
            versions=dict(read_versions()),
            machine={
                "architecture": platform.machine(),
                "dtype": model.settings.dtype,
                "token_budget": str(model.settings.token_budget),
            },
        )
        self._write(record)
        return record

    def _write_last(self, log: RunLog, state: RunState, step: int) -> None:
        path = self._folder / RECORD_FILE
        if not path.exists():
            return
        steering = tuple(
            RecordedSteering.model_validate({"step": one["step"], "changes": one["changes"]})
            for one in log.steered
            if not one["refusal"] and CHECKPOINT not in one["changes"]  # type: ignore[operator]
        )
        outcome = RecordedOutcome.model_validate(
            {
                "state": state,
                "step": step,
                "loss": log.last_loss,
                "curve_sha256": log.curve_sha256,
            }
        )
        record = RunRecord.model_validate_json(path.read_bytes())
        self._write(record.model_copy(update={"steering": steering, "outcome": outcome}))

    def _write(self, record: RunRecord) -> None:
        path = self._folder / RECORD_FILE
        draft = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
        try:
            draft.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
            sync_path(draft)
            draft.replace(path)
            sync_path(path.parent)
        except OSError as error:
            _LOGGER.warning("run %s has no record: %s", record.run_id, error)
            draft.unlink(missing_ok=True)


def _note_failure(writing: asyncio.Task[RunRecord]) -> None:
    if not writing.cancelled() and (error := writing.exception()) is not None:
        _LOGGER.error("a run has no record", exc_info=error)


def _check_same(record: RunRecord, row: RunRow) -> None:
    found = record.base_model
    for what, ours, theirs in (
        ("base model", found.sha256, row.repeats["base_model"]),
        ("chat template", found.template_sha256, row.repeats["template"]),
    ):
        if ours != theirs:
            raise RunFailedError(
                f"The {what} of {found.name!r} is another one than was recorded"
                f" ({ours[:12]}, not {str(theirs)[:12]}), so the run cannot be repeated.",
                "Take the base model that the record was made with.",
            )
