"""Other settings for a run that goes on: checked here, wished for in its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.steering import STEERABLE, apply_changes
from twinkle_jupyter.errors import InvalidConfigError, NotFoundError
from twinkle_jupyter.runs.steering import AT_STEP, CHECKPOINT
from twinkle_jupyter.service.runs import check_goes_on, find_run
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import RUNS_LOG, RunRow


def settings_of(run: RunRow) -> RunConfig:
    """Return what a run was started with and every change that was wished for since."""
    config = RunConfig.model_validate(dict(run.config))
    begun = (wish for wish in run.wishes if cast("int", wish.get(AT_STEP, 0)) <= run.step + 1)
    for wish in begun:
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

    def check(current: RunRow) -> None:
        _check_steps(current, apply_changes(settings_of(current), changes))

    return await _add_wish(store, run, changes, check)


async def wish_for_checkpoint(store: StateStore, run: RunRow) -> int:
    """Wish for a checkpoint of the newest step; return the wish's number.

    Raises:
        ConflictError: The run is over, or is being stopped.
    """
    return len((await _add_wish(store, run, {CHECKPOINT: "now"}, lambda _: None)).wishes)


async def _add_wish(
    store: StateStore, run: RunRow, wish: Mapping[str, object], check: Callable[[RunRow], None]
) -> RunRow:
    """Append to what is wished of a run and wake its driver."""

    def change(row: Row | None) -> Row:
        if row is None:
            raise NotFoundError(f"Run {run.run_id} is gone.")
        current = RunRow.from_row(row)
        hint = f"`%twinkle fork {run.adapter}` goes on from its weights with other settings."
        check_goes_on(current, hint)
        check(current)
        return current.changed(wishes=[*current.wishes, cast("Row", dict(wish))]).to_row()

    steered = RunRow.from_row(await store.update(RunRow.key(run.run_id), change))
    await store.append(RUNS_LOG, {"run_id": run.run_id, "command": "set"})
    return steered


def _check_steps(run: RunRow, config: RunConfig) -> None:
    if config.steps is not None and config.steps <= run.step:
        raise InvalidConfigError(
            f"`steps={config.steps}` is not more than the {run.step} that the run has taken.",
            f"`%twinkle stop-run {run.adapter}` ends it where it is.",
        )
