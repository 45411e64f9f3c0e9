"""A run's or a sweep's metrics: as a table, into a file, into a logger."""

from __future__ import annotations

import functools
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import InvalidConfigError, NotFoundError
from twinkle_jupyter.notebook.session import Session, Table

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.client.metrics import Table as MetricTable
    from twinkle_jupyter.client.run import Run
    from twinkle_jupyter.client.sinks.interface import LoggedRun, MetricSink
    from twinkle_jupyter.client.sweep import Sweep
    from twinkle_jupyter.store.interface import JSON

LOGGERS = ("tensorboard", "wandb", "trackio")
_SHOWN_ROWS = 12
_COLUMNS = ("step", "loss", "eval_loss", "learning_rate", "grad_norm", "tokens_per_second")
#: Shown where there are any.
_OF_A_LOSS = ("accuracy", "reward_margin")


def add_metric_arguments(parser: ArgumentParser) -> None:
    """Take a run or a sweep, and where to."""
    from twinkle_jupyter.client.metrics import FILE_KINDS

    parser.add_argument("name", help="a run, its adapter, or a sweep")
    parser.add_argument(
        "--to",
        metavar="TARGET",
        help=f"{', '.join(LOGGERS)}, or a new file that ends with {', '.join(FILE_KINDS)}",
    )
    parser.add_argument("--folder", default="tensorboard", help="of TensorBoard's files")
    parser.add_argument("--project", default="twinkle", help="of W&B or trackio")
    parser.add_argument("--wait", action="store_true", help="go on until the end of the run")


def metrics(session: Session, arguments: Namespace) -> MetricTable | None:
    """Show or return the steps so far, or send them on."""
    client = session.service.running()
    if arguments.to in LOGGERS:
        _send(session, client, arguments)
        return None
    held = _hold(client, arguments.name)
    if arguments.to is not None:
        _write(session, held, Path(arguments.to).expanduser())
        return None
    if session.prefix.startswith("%") or session.is_program:
        return held.history
    _show(session, arguments.name, held.rows())
    return None


def _hold(client: Client, name: str) -> Run | Sweep:
    """Return the sweep of that name, or the run."""
    try:
        return client.sweep(name)
    except NotFoundError:
        return client.hold(name)


def _show(session: Session, name: str, rows: Sequence[Mapping[str, JSON]]) -> None:
    columns = (*_COLUMNS, *(name for name in _OF_A_LOSS if any(name in row for row in rows)))
    shown = [tuple(_cell(row.get(column)) for column in columns) for row in rows[-_SHOWN_ROWS:]]
    left_out = len(rows) - len(shown)
    note = f"{left_out} earlier steps are in `--to FILE.csv`." if left_out else ""
    session.face.table(Table(f"Metrics of {name}", columns, shown, note))


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def _write(session: Session, held: Run | Sweep, path: Path) -> None:
    from twinkle_jupyter.client.metrics import FILE_KINDS, write_rows

    if path.suffix not in FILE_KINDS:
        raise InvalidConfigError(
            f"`--to {path}` is no logger, and no file that metrics are written to.",
            f"Loggers: {', '.join(LOGGERS)}. Files end with {', '.join(FILE_KINDS)}.",
        )
    rows = held.rows()
    write_rows(rows, path)
    session.face.note(f"{len(rows)} rows are in {path}.")


def _send(session: Session, client: Client, arguments: Namespace) -> None:
    """Feed a logger with a run, or with every run of a sweep."""
    from twinkle_jupyter.client.sinks.feed_thread import FeedThread

    runs = _logged_runs(client, arguments.name)
    make = functools.partial(_make_sink, arguments)
    make()  # a library that is missing is said before anything begins
    # In a cell it goes on by itself; a command ends, with what there is or at the run's end.
    is_beside = session.prefix.startswith("%") and not arguments.wait
    threads = []
    for run in runs:
        thread = session.feeds.get((arguments.to, run.run_id))
        if thread is None or not thread.is_alive():
            follow = is_beside or arguments.wait
            thread = FeedThread(make, run, client, follow=follow)
            session.feeds[arguments.to, run.run_id] = thread
            thread.start()
        threads.append(thread)
    names = ", ".join(run.adapter for run in runs)
    if is_beside:
        session.face.note(f"{arguments.to} is told of {names} until the end.")
        return
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        for thread in threads:
            thread.stop()
        if session.is_program:
            raise
    for thread in threads:
        if thread.failure is not None:
            raise thread.failure
    session.face.note(f"{arguments.to} has {names}.")


def _make_sink(arguments: Namespace) -> MetricSink:
    match arguments.to:
        case "tensorboard":
            from twinkle_jupyter.client.sinks.tensorboard import TensorBoardSink

            return TensorBoardSink(Path(arguments.folder).expanduser().absolute())
        case "wandb":
            from twinkle_jupyter.client.sinks.wandb import WandbSink

            return WandbSink(arguments.project)
        case _:
            from twinkle_jupyter.client.sinks.trackio import TrackioSink

            return TrackioSink(arguments.project)


def _logged_runs(client: Client, name: str) -> list[LoggedRun]:
    from twinkle_jupyter.client.sinks.interface import LoggedRun

    try:
        sweep = client.sweep_body(name)
    except NotFoundError:
        run = client.run(name)
        return [LoggedRun(run.run_id, run.adapter, run.config)]
    runs = [client.run(one.run_id) for one in sweep.members]
    return [LoggedRun(run.run_id, run.adapter, run.config, group=sweep.name) for run in runs]
