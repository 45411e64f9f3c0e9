"""Runs that repeat a recorded one: the same rows, settings and steering, on the same base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.run_record import RunRecord
from twinkle_jupyter.datasets.records import fingerprint
from twinkle_jupyter.errors import NOTHING_STARTED, InvalidConfigError, InvalidDataError
from twinkle_jupyter.runs.steering import AT_STEP
from twinkle_jupyter.store.interface import JSON, Row

#: Settings that the curve does not depend on.
_FREE = frozenset({"adapter", "base_model"})


def check_repeats(
    record: RunRecord, config: RunConfig, records: Sequence[Mapping[str, object]]
) -> None:
    """See that a run is the recorded one again.

    Raises:
        InvalidConfigError: It went on from another one, or settings are not the recorded ones.
        InvalidDataError: The rows are others.
    """
    record.check_repeatable()
    recorded = RunConfig.model_validate(record.config).model_dump(exclude=set(_FREE))
    given = config.model_dump(exclude=set(_FREE))
    others = sorted(name for name, value in given.items() if value != recorded[name])
    if others:
        names = ", ".join(f"`{name}`" for name in others)
        raise InvalidConfigError(
            f"{names} differ from the record of run {record.run_id}: it would be another curve.",
            "Leave them out, or start a run of its own.",
        )
    if fingerprint(records) != record.data.sha256:
        raise InvalidDataError(
            f"The rows are not those of run {record.run_id}: their digest is"
            f" {fingerprint(records)[:12]}, and {record.data.sha256[:12]} was recorded.",
            NOTHING_STARTED,
        )


def repeating_fields(record: RunRecord) -> Mapping[str, JSON]:
    """Return what the row of such a run has besides."""
    outcome = record.outcome
    wishes = [{AT_STEP: one.step, **one.changes} for one in record.steering]
    digests = {
        "base_model": record.base_model.sha256,
        "template": record.base_model.template_sha256,
    }
    is_stopped = outcome is not None and outcome.state == "stopped"
    return {
        "wishes": cast("list[Row]", wishes),
        "repeats": digests,
        "stop_after": outcome.step if outcome is not None and is_stopped else 0,
    }
