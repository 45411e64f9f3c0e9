"""Verbs that steer runs: other settings, forks, the way back, checkpoints, descent."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from twinkle_jupyter.client.adapter import Checkpoint
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook.arguments import add_run_settings, run_settings
from twinkle_jupyter.notebook.cell_value import Listing, list_out
from twinkle_jupyter.notebook.run_handle import RunHandle
from twinkle_jupyter.notebook.run_verbs import active_name, handle_of, show_run
from twinkle_jupyter.notebook.service_verbs import describe_run
from twinkle_jupyter.notebook.session import Session, Table

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import RunBody

_HOUR_S = 3600


def add_set_arguments(parser: ArgumentParser) -> None:
    """Take a run and the settings that may change while it goes on."""
    parser.add_argument("name", nargs="?", help="a run or its adapter; may be left out if only one")
    _add_steerable_settings(parser)


def set_run(session: Session, arguments: Namespace) -> RunHandle:
    """Change settings of a run that goes on, from its next step."""
    client = session.service.running()
    changes = run_settings(arguments)
    if not changes:
        raise InvalidConfigError(
            f"`{session.prefix} set` needs a setting to change.",
            f"For example: `{session.prefix} set pirate --learning-rate 3e-4`.",
        )
    run = client.set(active_name(client, arguments.name), **typed_changes(changes))
    said = ", ".join(f"{name}={run.settings[name]}" for name in changes)
    session.face.note(f"{run.adapter} goes on with {said} from its next step.")
    return handle_of(session, client, run).said()


def add_fork_arguments(parser: ArgumentParser) -> None:
    """Take a run and a step, a name, and what is to differ."""
    parser.add_argument("run", help="a run or its adapter, and a step if not its newest: pirate@40")
    parser.add_argument("--adapter", default="", help="name of the new one; else the next free one")
    _add_steerable_settings(parser)


def fork(session: Session, arguments: Namespace) -> RunHandle:
    """Start a run from exactly the weights and the optimizer that another one had."""
    client = session.service.running()
    name, step = _run_and_step(arguments.run)
    changes = typed_changes(run_settings(arguments))
    body = client.fork(name, step=step, adapter=arguments.adapter, **changes)
    session.face.note(f"{body.adapter} goes on from step {body.parent_step} of {name}.")
    return show_run(session, client, body, wait=False)


def add_rewind_arguments(parser: ArgumentParser) -> None:
    """Take a run with the step to go back to, and what is to differ."""
    parser.add_argument("run", help="a run or its adapter, and the step: pirate@20")
    _add_steerable_settings(parser)


def rewind(session: Session, arguments: Namespace) -> RunHandle:
    """Go on from an earlier step under the same name; what came after stays in the old run."""
    client = session.service.running()
    name, step = _run_and_step(arguments.run)
    if step is None:
        raise InvalidConfigError(
            f"`{session.prefix} rewind` needs a step.",
            f"`{session.prefix} checkpoints {name}` lists them; then `rewind {name}@STEP`.",
        )
    body = client.rewind(name, step, **typed_changes(run_settings(arguments)))
    return show_run(session, client, body, wait=False)


def add_checkpoint_arguments(parser: ArgumentParser) -> None:
    """Take a run, a name for the checkpoint, and for how long to keep it."""
    parser.add_argument("name", nargs="?", help="a run or its adapter; may be left out if only one")
    parser.add_argument("--label", default="", help="what the checkpoint is to be called")
    parser.add_argument(
        "--ttl-hours", type=float, default=None, help="hours to keep it; for good, if not set"
    )


def checkpoint(session: Session, arguments: Namespace) -> Checkpoint:
    """Save what a run has now, and keep it."""
    ttl_seconds = None if arguments.ttl_hours is None else _seconds(arguments.ttl_hours)
    client = session.service.running()
    run = client.run(active_name(client, arguments.name))
    made = client.checkpoint(run.run_id, label=arguments.label, ttl_seconds=ttl_seconds)
    session.face.note(f"Step {made.step} is kept: {made.folder}")
    return Checkpoint.of(run, made)


def add_checkpoints_arguments(parser: ArgumentParser) -> None:
    """Take a run."""
    parser.add_argument("name", help="a run or its adapter")


def checkpoints(session: Session, arguments: Namespace) -> Listing[Checkpoint]:
    """List a run's checkpoints."""
    client = session.service.running()
    run = client.run(arguments.name)
    found = client.checkpoints(run.run_id)
    rows = [
        (
            str(one.step),
            one.label or ("best" if one.is_best else ""),
            f"{one.size_bytes / 1e6:.1f} MB",
            one.expires_at[:16].replace("T", " "),
            one.folder,
        )
        for one in found
    ]
    titles = ("step", "label", "size", "until (UTC)", "folder")
    note = "" if rows else "There is none yet: `checkpoint` makes one now."
    table = Table(f"Checkpoints of {arguments.name}", titles, rows, note)
    return list_out(session, (Checkpoint.of(run, one) for one in found), table)


def add_tree_arguments(parser: ArgumentParser) -> None:
    """Take a run, or all."""
    parser.add_argument("name", nargs="?", help="a run or its adapter; all, if left out")


def tree(session: Session, arguments: Namespace) -> None:
    """Show which run went on from which, and from which step."""
    client = session.service.running()
    runs = list(reversed(client.runs()))
    roots = [run for run in runs if run.parent_run not in {one.run_id for one in runs}]
    if arguments.name:
        wanted = client.run(arguments.name).run_id
        roots = [root for root in roots if wanted in _family(root, runs)]
    rows = [row for root in roots for row in _branch(root, runs, 0)]
    note = "" if rows else "There is no run yet: `%twinkle train DATA` starts one."
    titles = ("adapter", "from step", "run", "state", "loss")
    session.face.table(Table("Runs by descent", titles, rows, note))


def typed_changes(changes: dict[str, object]) -> dict[str, object]:
    """Return settings as their types want them; every mistake is named with its flag.

    Raises:
        InvalidConfigError: One is wrong.
    """
    from pydantic import ValidationError

    from twinkle_jupyter.config.mistakes import settings_error
    from twinkle_jupyter.config.run_config import RunConfig

    flags = {name: f"--{name.replace('_', '-')}" for name in RunConfig.model_fields}
    try:
        config = RunConfig.model_validate(changes)
    except ValidationError as error:
        raise settings_error(error, shown=flags, hint="Nothing was changed.") from error
    dumped = config.model_dump(mode="json")
    return {name: dumped[name] for name in changes}


def _add_steerable_settings(parser: ArgumentParser) -> None:
    # Reading the settings takes a fifth of a second, which loading the magics need not.
    from twinkle_jupyter.config.steering import STEERABLE

    add_run_settings(parser, STEERABLE)


def _seconds(hours: float) -> int:
    if not (hours > 0 and math.isfinite(_HOUR_S * hours)):
        raise InvalidConfigError(
            f"`--ttl-hours {hours:g}` is no time above 0.",
            "Leave it out to keep the checkpoint for good.",
        )
    return max(1, round(_HOUR_S * hours))


def _run_and_step(word: str) -> tuple[str, int | None]:
    name, _, step = word.partition("@")
    if "@" in word and not step.isdecimal():
        raise InvalidConfigError(
            f"`{word}` does not name a step.", f"Write the step as a number: {name}@40."
        )
    return name, int(step) if step else None


def _family(root: RunBody, runs: list[RunBody]) -> set[str]:
    children = [run for run in runs if run.parent_run == root.run_id]
    return {root.run_id}.union(*(_family(child, runs) for child in children))


def _branch(run: RunBody, runs: list[RunBody], depth: int) -> list[tuple[str, ...]]:
    indent = "" if depth == 0 else "\u00a0" * (3 * depth - 3) + "\u2514\u2500 "
    loss = "" if run.loss is None else f"{run.loss:.4f}"
    step = str(run.parent_step) if run.parent_run else ""
    rows: list[tuple[str, ...]] = [
        (f"{indent}{run.adapter}", step, run.run_id, describe_run(run), loss)
    ]
    for child in runs:
        if child.parent_run == run.run_id:
            rows += _branch(child, runs, depth + 1)
    return rows
