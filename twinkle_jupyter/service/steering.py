"""Other settings for a run that goes on: checked here, wished for in its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.steering import STEERABLE, apply_changes
from twinkle_jupyter.errors import ConflictError, InvalidConfigError, NotFoundError
from twinkle_jupyter.service.runs import find_run
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import RUNS_LOG, RunRow


def settings_of(run: RunRow) -> RunConfig:
    """Return what a run was started with and every change that was wished for since."""
    config = RunConfig.model_validate(dict(run.config))
    for wish in run.wishes:
        changes = {name: value for name, value in wish.items() if name in STEERABLE}
        if changes:
            config = apply_changes(config, changes)
    return config


async def set_run(
    store: StateStore, owner: str, name: str, changes: Mapping[str, object]
) -> RunRow:
    """Wish for other settings; they count from the run's next step on.

    Raises:
        NotFoundError: This user has no such run.
        ConflictError: It is over, or is being stopped.
        InvalidConfigError: The changes make no sense; all mistakes are named.
    """
    run = await find_run(store, owner, name)
    return await add_wish(store, run, changes)


async def add_wish(store: StateStore, run: RunRow, wish: Mapping[str, object]) -> RunRow:
    """Append to what is wished of a run and wake its driver; raises as `set_run`."""

    def change(row: Row | None) -> Row:
        if row is None:
            raise NotFoundError(f"Run {run.run_id} is gone.")
        current = RunRow.from_row(row)
        _check_goes_on(current)
        if STEERABLE & wish.keys():
            _check_steps(current, apply_changes(settings_of(current), wish))
        elif not wish or set(wish) - {"checkpoint"}:
            apply_changes(settings_of(current), wish)  # says what is wrong
        return current.changed(wishes=[*current.wishes, cast("Row", dict(wish))]).to_row()

    steered = RunRow.from_row(await store.update(RunRow.key(run.run_id), change))
    await store.append(RUNS_LOG, {"run_id": run.run_id, "command": "set"})
    return steered


def _check_goes_on(run: RunRow) -> None:
    title = f"Run {run.run_id} of adapter {run.adapter!r}"
    if run.is_over:
        raise ConflictError(
            f"{title} is {run.state}.",
            f"`%twinkle fork {run.adapter}` goes on from its weights with other settings.",
        )
    if run.wanted == "stopped":
        raise ConflictError(f"{title} is being stopped.", "`%twinkle train` starts a new one.")


def _check_steps(run: RunRow, config: RunConfig) -> None:
    if config.steps is not None and config.steps <= run.step:
        raise InvalidConfigError(
            f"`steps={config.steps}` is not more than the {run.step} that the run has taken.",
            f"`%twinkle stop-run {run.adapter}` ends it where it is.",
        )
