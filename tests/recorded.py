"""A run's record without the run: what a driver would have written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.run_record import RunRecord
from twinkle_jupyter.datasets.records import fingerprint
from twinkle_jupyter.runs.input_digests import read_versions


def recorded(
    config: Mapping[str, object], records: Sequence[Mapping[str, object]], **more: object
) -> RunRecord:
    """Return the record of a finished run of 40 steps that was steered once."""
    fields: dict[str, object] = {
        "run_id": "run_before",
        "adapter": "before",
        "created_at": "2026-11-25T10:00:00.000+00:00",
        "config": RunConfig.model_validate(config).model_dump(mode="json"),
        "data": {"sha256": fingerprint(records), "num_rows": len(records)},
        "base_model": {"name": "tiny", "sha256": 64 * "a", "template_sha256": 64 * "b"},
        "versions": dict(read_versions()),
        "machine": {"dtype": "float32"},
        "steering": [{"step": 7, "changes": {"learning_rate": 3e-4}}],
        "outcome": {"state": "finished", "step": 40, "loss": 0.5, "curve_sha256": 64 * "c"},
        **more,
    }
    return RunRecord.model_validate(fields)
