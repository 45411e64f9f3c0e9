"""Verbs about the service: how it is, start, stop, its log."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import ConflictError, NotFoundError, ServiceUnavailableError
from twinkle_jupyter.notebook.session import Session, Table

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client, RunBody
    from twinkle_jupyter.client.discovery import Connection
    from twinkle_jupyter.wire.native import ServiceBody

#: What a service gets to end, in seconds.
STOP_S = 20.0
#: Runs on the status card at most.
MAX_RUNS = 5
MAX_LOG_BYTES = 256 * 1024


def no_arguments(parser: ArgumentParser) -> None:
    """Take none."""


def status(session: Session, _: Namespace) -> None:
    """Show a card: the service and its newest runs."""
    client = session.service.find()
    try:
        card = _stopped_card() if client is None else _card(client)
    except ServiceUnavailableError as error:
        card = Table("Twinkle", (), [("service", "not running")], str(error))
    session.face.table(card)


def start(session: Session, _: Namespace) -> None:
    """Start the service unless it runs, and wait until it can compute."""
    try:
        client = session.service.ready(session.face)
    except KeyboardInterrupt:
        if session.is_program:
            raise
        session.face.note("Detached: the service goes on starting.")
        return
    session.face.table(_card(client))


def stop(session: Session, _: Namespace) -> None:
    """End the service; its runs go on where they were when it is next started."""
    from twinkle_jupyter.client.discovery import find_connection
    from twinkle_jupyter.notebook.start_service import parent_server

    connection = find_connection()
    if connection is not None and not connection.pid:
        raise ConflictError(
            f"The service at {connection.address} was started elsewhere.",
            "End it where it was started.",
        )
    server = parent_server()
    # The server extension has to know, or it would start the service again.
    asked = server.ask("POST", "service/stop", timeout_s=STOP_S) if server is not None else None
    if connection is None and asked is None:
        session.face.note("The training service is not running.")
        return
    if connection is not None:
        with session.face.progress() as say:
            say("Ending the training service")
            _end(connection)
    session.service.close()
    session.face.note("The training service has ended. Its runs go on at the next start.")


def add_log_arguments(parser: ArgumentParser) -> None:
    """Take how much of the log to show."""
    parser.add_argument(
        "--lines", type=int, default=40, help="how many lines of each (if not set: 40)"
    )


def log(session: Session, arguments: Namespace) -> None:
    """Show the end of each log of the service's processes: an error's id is in one of them."""
    from twinkle_jupyter.config.home import home_folder

    paths = sorted(home_folder().glob("*.log"))
    if not paths:
        raise NotFoundError(
            "There is no log yet: no service was ever started here.", "`%twinkle start` starts one."
        )
    ends = [(path.name, _end_of(path, max(1, arguments.lines))) for path in paths]
    session.face.text("\n".join(f"== {name} ==\n{end}" for name, end in ends if end))


def _end_of(path: Path, num_lines: int) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_LOG_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-num_lines:])


def _card(client: Client) -> Table:
    service = client.service()
    phase = f"{service.phase}: {service.message}" if service.message else service.phase
    rows = [
        ("service", phase),
        *notice_rows(service),
        ("address", client.connection.address),
        ("base models", ", ".join(service.base_models) or "none loaded yet"),
        *((f"computed in ({name})", said) for name, said in service.computed_in.items()),
        ("active runs", str(service.num_active_runs)),
    ]
    rows += limit_rows(client)
    rows += [(run.adapter, describe_run(run)) for run in client.runs()[:MAX_RUNS]]
    return Table("Twinkle", (), rows, "`%twinkle help` lists the verbs.")


def notice_rows(service: ServiceBody) -> list[tuple[str, str]]:
    """Say what an admin tells everybody."""
    rest, said = service.maintenance, service.broadcast
    rows = []
    if rest is not None:
        until = f", expected until {rest.until[:16].replace('T', ' ')} UTC" if rest.until else ""
        rows.append(("maintenance", f"{rest.message} (no new work is taken in{until})"))
    if said is not None:
        rows.append(("message" if said.level == "info" else "warning", said.message))
    return rows


def limit_rows(client: Client) -> list[tuple[str, str]]:
    """Say of each limit that is set how much of it the user has."""
    try:
        limits = client.usage().limits
    except NotFoundError:
        return []  # a service from before there were limits
    return [
        (
            one.name.replace("_", " "),
            f"{one.limit:,} at most" if one.used is None else f"{one.used:,} of {one.limit:,}",
        )
        for one in limits
        if one.limit
    ]


def _stopped_card() -> Table:
    from twinkle_jupyter.notebook.start_service import parent_server

    server = parent_server()
    said = (server.ask("GET", "service") if server is not None else None) or {}
    phase = str(said.get("phase", "stopped"))
    shown = "not running" if phase == "stopped" else f"{phase}: {said.get('message', '')}"
    return Table("Twinkle", (), [("service", shown)], "`%twinkle start` starts it.")


def describe_run(run: RunBody) -> str:
    """Say in one line how a run is."""
    parts: list[str] = [run.state]
    if run.total_steps:
        parts.append(f"step {run.step} of {run.total_steps}")
    if run.loss is not None:
        parts.append(f"loss {run.loss:.3f}")
    return ", ".join(parts)


def _end(connection: Connection) -> None:
    """Ask the process to end and wait until it has."""
    from twinkle_jupyter.client.discovery import is_running
    from twinkle_jupyter.notebook.start_service import reap

    deadline = time.monotonic() + STOP_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(connection.pid, signal.SIGTERM)
    while time.monotonic() < deadline:
        reap()
        if not is_running(connection.pid):
            return
        time.sleep(0.1)
    raise ConflictError(
        f"The service (process {connection.pid}) did not end within {STOP_S:.0f} s.",
        "`%twinkle log` shows what it is doing.",
    )
