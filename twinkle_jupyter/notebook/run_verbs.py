"""Verbs about runs: start one, see them, steer them."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from twinkle_jupyter.errors import ConflictError, InvalidDataError, NotFoundError, RunFailedError
from twinkle_jupyter.notebook.arguments import add_run_settings, run_settings
from twinkle_jupyter.notebook.base_model_choice import settle_base_model
from twinkle_jupyter.notebook.cell_value import Listing, list_out
from twinkle_jupyter.notebook.record_verbs import load_record
from twinkle_jupyter.notebook.run_handle import RunHandle
from twinkle_jupyter.notebook.run_waiting import follow_to_end
from twinkle_jupyter.notebook.service_verbs import describe_run
from twinkle_jupyter.notebook.session import Session, Table
from twinkle_jupyter.store.records import TERMINAL_STATES

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client, RunBody
    from twinkle_jupyter.config.run_config import RunConfig
    from twinkle_jupyter.config.run_record import RunRecord
    from twinkle_jupyter.datasets.run_rows import RunRows


def add_data_argument(parser: ArgumentParser) -> None:
    """Take what to train on."""
    parser.add_argument(
        "data",
        nargs="?",
        help="a variable of this notebook (a list, a DataFrame), else a file (JSONL, CSV, Parquet),"
        " else the name of a shipped data set; `-` is the body of the cell",
    )


def add_train_arguments(parser: ArgumentParser) -> None:
    """Take the data, whether to wait, and every setting of a run."""
    add_data_argument(parser)
    parser.add_argument(
        "--wait", action="store_true", help="wait for the end; an interrupt leaves the run running"
    )
    parser.add_argument(
        "--from-adapter", metavar="NAME", help="begin with its newest weights, rank and alpha"
    )
    parser.add_argument(
        "--from",
        dest="record",
        metavar="RECORD",
        help="repeat a run: its run.json, or the folder that `record --to` wrote",
    )
    add_run_settings(parser)


def train(session: Session, arguments: Namespace) -> RunHandle:
    """Check everything here, then start a run and show it; returns at once."""
    repeats: RunRecord | None = None
    if arguments.record:
        given = run_settings(arguments)
        if arguments.from_adapter:
            given = {"from_adapter": arguments.from_adapter, **given}
        has_data = arguments.data is not None or bool(session.body)
        repeats, data = load_record(session, arguments.record, given, has_data=has_data)
        config = read_config(arguments, repeats.config)
    else:
        shape = _shape_of(session, arguments.from_adapter) if arguments.from_adapter else {}
        config = read_config(arguments, shape)
        data = load_run_rows(session, arguments.data, "train", config.loss)
    found = session.service.find()
    base_model = settle_base_model(config.base_model, found.connection if found else None)
    client = session.service.started(session.face)
    config = config.model_copy(update={"base_model": base_model})
    body = client.start_run(
        config, data.records, from_adapter=arguments.from_adapter, repeats=repeats
    )
    return show_run(session, client, body, wait=arguments.wait)


def add_show_arguments(parser: ArgumentParser) -> None:
    """Take runs, and whether to wait for one."""
    parser.add_argument(
        "name",
        nargs="*",
        help="a run, its adapter, or a sweep; several runs share one plot; may be left out",
    )
    parser.add_argument("--wait", action="store_true", help="wait for the end of the run")


def show(session: Session, arguments: Namespace) -> RunHandle:
    """Show a run's panel."""
    client = session.service.running()
    if arguments.name:
        body = client.run(arguments.name[0])
    else:
        bodies = client.runs()
        if not bodies:
            raise NotFoundError("There is no run yet.", "`%twinkle train DATA` starts one.")
        body = bodies[0]
    return show_run(session, client, body, wait=arguments.wait)


def runs(session: Session, _: Namespace) -> Listing[RunHandle]:
    """List all runs, newest first."""
    client = session.service.running()
    found = client.runs()
    rows = [
        (run.adapter, run.run_id, describe_run(run), run.created_at[:16].replace("T", " "))
        for run in found
    ]
    note = "" if rows else "There is no run yet: `%twinkle train DATA` starts one."
    table = Table("Runs", ("adapter", "run", "state", "since (UTC)"), rows, note)
    return list_out(session, (handle_of(session, client, run) for run in found), table)


def handle_of(session: Session, client: Client, body: RunBody) -> RunHandle:
    """Return the run as a person holds it."""
    return RunHandle(client, body.run_id, body.adapter, session.face)


def add_name_argument(parser: ArgumentParser) -> None:
    """Take a run, by id or by its adapter's name."""
    parser.add_argument("name", nargs="?", help="a run or its adapter; may be left out if only one")


def pause(session: Session, arguments: Namespace) -> RunHandle:
    """Let a run rest before its next step."""
    client = session.service.running()
    run = client.pause(active_name(client, arguments.name))
    session.face.note(f"{run.adapter} rests at step {run.step}: `%twinkle resume {run.adapter}`.")
    return handle_of(session, client, run).said()


def resume(session: Session, arguments: Namespace) -> RunHandle:
    """Let a paused run go on."""
    client = session.service.running()
    run = client.resume(active_name(client, arguments.name))
    session.face.note(f"{run.adapter} goes on after step {run.step}.")
    return handle_of(session, client, run).said()


def add_stop_arguments(parser: ArgumentParser) -> None:
    """Take a run, and which of its weights to keep."""
    add_name_argument(parser)
    parser.add_argument(
        "--keep-best",
        action="store_true",
        help="leave the weights with the lowest eval loss, not the newest",
    )


def stop_run(session: Session, arguments: Namespace) -> RunHandle:
    """End a run; its newest or its best weights are kept."""
    client = session.service.running()
    keep: Literal["last", "best"] = "best" if arguments.keep_best else "last"
    run = client.stop(active_name(client, arguments.name), keep=keep)
    kept = f"those of step {run.best_step}, the best," if arguments.keep_best else "its weights"
    session.face.note(f"{run.adapter} ends after step {run.step}; {kept} are kept.")
    return handle_of(session, client, run).said()


def _shape_of(session: Session, name: str) -> dict[str, object]:
    """Return what a run that begins with this adapter must have."""
    client, shape = session.service.started(session.face), {"rank", "alpha", "base_model"}
    if "://" in name:
        from twinkle_jupyter.client.sharing import list_shared

        for shared in list_shared(client.connection):
            if shared.path == name:
                return shared.model_dump(include=shape)
    for adapter in client.adapters():
        if adapter.name == name:
            return adapter.model_dump(include=shape)
    raise NotFoundError(
        f"There is no adapter {name!r}.", f"`{session.prefix} adapters` lists yours."
    )


def read_config(arguments: Namespace, shape: Mapping[str, object]) -> RunConfig:
    """Read the settings that were given over those of `shape`.

    Raises:
        InvalidConfigError: Some are wrong; all are named.
    """
    from pydantic import ValidationError

    from twinkle_jupyter.config.mistakes import settings_error
    from twinkle_jupyter.config.run_config import RunConfig

    flags = {name: f"--{name.replace('_', '-')}" for name in RunConfig.model_fields}
    settings = {**shape, **run_settings(arguments)}
    if named := os.environ.get("TWINKLE_BASE_MODEL"):
        # What the service loads at once, and answers with as `base`.
        settings.setdefault("base_model", named)
    try:
        return RunConfig.model_validate(settings)
    except ValidationError as error:
        raise settings_error(error, shown=flags) from error


def load_run_rows(session: Session, word: str | None, verb: str, loss: str) -> RunRows:
    """Read what a run of this loss trains on: conversations, or pairs of answers.

    Raises:
        InvalidDataError: There is nothing, or it cannot be trained on.
    """
    from twinkle_jupyter.datasets.run_rows import load_rows

    with found_data(session, word, verb) as (source, name):
        return load_rows(source, loss, name)


@contextmanager
def found_data(session: Session, word: str | None, verb: str) -> Iterator[tuple[object, str]]:
    """Give what a verb is to read: the cell's body, a variable, a file, a shipped data set.

    And what messages call it.

    Raises:
        InvalidDataError: There is nothing, or the line and the body both have data.
    """
    if word is None and not session.body:
        raise InvalidDataError(
            f"`{verb}` needs data: a file, a variable or the name of a shipped data set.",
            f"For example: `%twinkle {verb} self_cognition`.",
        )
    name = "the cell" if session.prefix.startswith("%") else "the input"
    if word not in {None, "-"} and (session.body or "").strip():
        raise InvalidDataError(
            f"`{verb}` has data twice: `{word}` and {name}.", "Leave out one of them."
        )
    if word is None or word == "-":
        # JSON Lines, with the file reader's own messages.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cell.jsonl"
            path.write_text(session.body or "", encoding="utf-8")
            yield path, name
    elif word.isidentifier() and word in session.names:
        yield session.names[word], word
    else:
        yield word, word


def show_run(session: Session, client: Client, body: RunBody, *, wait: bool) -> RunHandle:
    """Show the panel, and wait for the end if asked to; an interrupt ends the waiting only.

    A program gets the interrupt: it would go on as if the run were over.
    """
    run = handle_of(session, client, body)
    if not wait:
        session.face.panel(run)
        return run
    try:
        session.face.panel(run)
        picture = follow_to_end(session.face, run)
    except KeyboardInterrupt:
        if session.is_program:
            raise
        session.face.note(
            f"Detached: the run of {run.adapter} goes on. `%twinkle show {run.adapter}` brings its "
            f"panel back, `%twinkle stop-run {run.adapter}` ends it."
        )
        return run.said()
    if picture.state == "failed":
        raise RunFailedError(
            f"The run of {run.adapter} failed: {picture.reason.rstrip('.')}.",
            f"`%twinkle show {run.adapter}` shows how far it got.",
        )
    return run


def active_name(client: Client, name: str | None) -> str:
    """Return the name that was given, or that of the only run that is not over."""
    if name:
        return name
    active = [run for run in client.runs() if run.state not in TERMINAL_STATES]
    if len(active) == 1:
        return active[0].run_id
    if not active:
        raise NotFoundError("No run is active.", "`%twinkle runs` lists all of them.")
    names = ", ".join(run.adapter for run in active)
    raise ConflictError(f"{len(active)} runs are active: {names}.", "Name one of them.")
