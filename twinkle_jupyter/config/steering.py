"""Which settings of a run may change while it runs, and what a change must be."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from twinkle_jupyter.config.mistakes import settings_error
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import InvalidConfigError

#: The others shape the adapter or its data, and belong to a new run.
STEERABLE = frozenset(
    (
        "batch_size",
        "checkpoint_every",
        "epochs",
        "eval_every",
        "grad_clip",
        "keep_last",
        "learning_rate",
        "patience",
        "probe",
        "probe_every",
        "probe_tokens",
        "schedule",
        "steps",
        "weight_decay",
    )
)


def apply_changes(config: RunConfig, changes: Mapping[str, object]) -> RunConfig:
    """Return the settings with these changes.

    `steps` replaces `epochs`, and the other way round.

    Raises:
        InvalidConfigError: A change is of no use, of a setting that is fixed, or none is given.
    """
    if not changes:
        raise InvalidConfigError(
            "No setting is given to change.", f"These can be: {', '.join(sorted(STEERABLE))}."
        )
    fixed = sorted(set(changes) & set(RunConfig.model_fields) - STEERABLE)
    if fixed:
        raise InvalidConfigError(
            f"`{fixed[0]}` cannot change while a run goes on.",
            f"These can: {', '.join(sorted(STEERABLE))}. Everything else takes a new run.",
        )
    merged: dict[str, object] = {**config.model_dump(), **changes}
    if changes.get("steps") is not None and "epochs" not in changes:
        merged["epochs"] = None
    if changes.get("epochs") is not None and "steps" not in changes:
        merged["steps"] = None
    try:
        return RunConfig.model_validate(merged)
    except ValidationError as error:
        raise settings_error(error, hint="Nothing was changed.") from error
