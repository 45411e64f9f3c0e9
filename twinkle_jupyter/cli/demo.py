"""`twinkle demo`: the main job in a terminal. Answers before, a live loss, answers after."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.text import Text

from twinkle_jupyter.cli.fetch_bar import fetch_with_bar
from twinkle_jupyter.cli.run_picture import show_live
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.discovery import Connection, find_connection
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.datasets.records import load_records
from twinkle_jupyter.errors import RunFailedError, ServiceUnavailableError
from twinkle_jupyter.notebook.spawned_service import SpawnedService

QUESTIONS = ("Who are you?", "What is the capital of France?")
_ADAPTER = "demo"
_STEPS = 24
_START_S = 90.0
_END_S = 20.0


def run_demo(console: Console) -> int:
    """Train the shipped data set on the bundled model; return the exit code."""
    fetch_with_bar(DEFAULT_BASE_MODEL, console)
    with _service(console) as connection, Client(connection) as client:
        _wait_until_ready(client, console)
        console.rule("Before training")
        _ask(client, "base", console)
        _train(client, console)
        console.rule("After training")
        _ask(client, _ADAPTER, console)
    console.print("\nThe same with a live plot in JupyterLab: [bold]twinkle tutorial[/bold]")
    return 0


@contextmanager
def _service(console: Console) -> Iterator[Connection]:
    """A running service if there is one; else one of our own, which ends with the demo."""
    if (running := find_connection()) is not None:
        yield running
        return
    child = SpawnedService("--until-stdin-closes", stdin=subprocess.PIPE)
    try:
        with console.status("Starting the training service"):
            yield _wait_for_connection(child)
    finally:
        # Closing its stdin is how the service is told. One that still waits for another service to
        # leave the home ends after that.
        with (
            console.status("Ending the training service"),
            suppress(subprocess.TimeoutExpired),
        ):
            child.process.communicate(timeout=_END_S)


def _wait_for_connection(child: SpawnedService) -> Connection:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if (connection := find_connection()) is not None:
            return connection
        child.check()
        time.sleep(0.1)
    raise ServiceUnavailableError("The training service did not start.", "`twinkle log` shows why.")


def _wait_until_ready(client: Client, console: Console) -> None:
    with console.status("Starting the training service") as status:
        while (service := client.service()).phase != "ready":
            if service.phase == "failed":
                raise ServiceUnavailableError(service.message)
            status.update(Text(service.message or "Starting the training service"))
            time.sleep(0.2)


def _ask(client: Client, model: str, console: Console) -> None:
    for question in QUESTIONS:
        console.print(f"[bold]{question}[/bold]")
        messages = [{"role": "user", "content": question}]
        for delta in client.sample(model, messages, max_tokens=48):
            console.print(Text(delta.text), end="")
        console.print()


def _train(client: Client, console: Console) -> None:
    console.rule("Training")
    loaded = load_records("self_cognition")
    config = RunConfig(adapter=_ADAPTER, steps=_STEPS)
    run = client.start_run(config, loaded.records)
    show_live(client, run.run_id, console)
    final = client.run(run.run_id)
    if final.state != "finished":
        raise RunFailedError(f"The run is {final.state}: {final.reason or 'nobody said why'}")
