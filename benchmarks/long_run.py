"""A run of 10,000 steps: what its log weighs, how soon `show` has it, and if memory stays flat.

The log has what such a run writes: every step, an eval every ten, a probe answer every fifty. The
service is the real application in a process of its own; `show` is what the magic does in a kernel,
from the request to the bundle that a cell displays.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.report import Bar, Row, finish, parse_options
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.ids import new_adapter_id, new_run_id
from twinkle_jupyter.notebook.panels import run_bundle
from twinkle_jupyter.notebook.snapshot import RunPicture
from twinkle_jupyter.runs.events import EvalDone, ProbeAnswered, RunEvent, StateChanged, StepDone
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.service.parts import ServedModel
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.store.sqlite import SqliteStore

NUM_STEPS = 10_000
#: From the request to the first paint.
_SHOW = Bar(300.0, "at most")
#: A saved notebook with it, in KiB.
_SMALL = Bar(97.0, "at most")
#: Of the service's memory over many readers, and of a picture over many steps.
_FLAT = Bar(1.1, "at most", "ratio")


def build_events(num_steps: int) -> list[RunEvent]:
    """Return what a run of so many steps has in its log."""
    events: list[RunEvent] = [StateChanged(state="running", step=0)]
    for step in range(1, num_steps + 1):
        events.append(
            StepDone(
                step=step,
                loss=1.23456789 / step,
                learning_rate=1e-4,
                grad_norm=0.123456789,
                num_tokens=512,
                num_supervised=123,
                seconds=0.512345678,
                queue_seconds=0.00123,
                forward_seconds=0.2123,
                backward_seconds=0.212,
                optimizer_seconds=0.01,
            )
        )
        if step % 10 == 0:
            events.append(EvalDone(step=step, loss=1.1 / step))
        if step % 50 == 0:
            answer = "I am a pirate, and this is my ship. " * 4
            events.append(ProbeAnswered(step=step, index=0, prompt="Who are you?", answer=answer))
    return events


async def write_run(home: Path, events: list[RunEvent]) -> tuple[str, str]:
    """Put a run with this log into the home's store; return its id and a key."""
    store = SqliteStore.open(ServiceConfig.load(home=home).store_path)
    key = await create_key(store, "ada")
    run = RunRow(new_run_id(), "ada", new_adapter_id(), "long", {}, "", state="running")
    await store.put(RunRow.key(run.run_id), run.to_row())
    await store.append_all(RunRow.log(run.run_id), [event.to_entry() for event in events])
    await store.close()
    return run.run_id, key


async def _no_compute(_: str) -> ServedModel:
    raise ServiceUnavailableError("Nothing is sampled here.")


def serve(home: Path, listener: socket.socket) -> None:
    """Serve the home's store until killed."""
    import uvicorn

    config = ServiceConfig.load(home=home)
    store = SqliteStore.open(config.store_path)
    app = create_app(store, config, compute=_no_compute, check_base_model=lambda _: None)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    asyncio.run(server.serve(sockets=[listener]))


def show(client: Client, run: str) -> dict[str, object]:
    """Return what a cell displays."""
    picture = RunPicture()
    for event in client.events(run, follow=False):
        picture.add(event.id, event.entry)
    return run_bundle(run, "long", picture.snapshot())


def main() -> int:
    """Measure and report."""
    options = parse_options(__doc__)
    num_shows = 5 if options.quick else 20
    events = build_events(NUM_STEPS)
    weight = sum(len(json.dumps(event.to_entry())) for event in events)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        run, key = asyncio.run(write_run(home, events))
        listener = socket.create_server(("127.0.0.1", 0))
        context = multiprocessing.get_context("fork")
        process = context.Process(target=serve, args=(home, listener), daemon=True)
        process.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Client(Connection(url, key, 0, "")) as client:
            client.run(run)
            memory = psutil.Process(process.pid).memory_info
            bundle = show(client, run)
            before, seconds = memory().rss, []
            for _ in range(num_shows):
                started = time.perf_counter()
                bundle = show(client, run)
                seconds.append(time.perf_counter() - started)
            after = memory().rss
        process.kill()
        on_disk = home.joinpath("store.sqlite3").stat().st_size
        on_disk += home.joinpath("store.sqlite3-wal").stat().st_size
    short = RunPicture()
    for position, event in enumerate(build_events(1000), start=1):
        short.add(position, event.to_entry())
    small = len(json.dumps(run_bundle(run, "long", short.snapshot())))
    large = len(json.dumps(bundle))
    rows = [
        Row("the log, a step", weight / NUM_STEPS, "B"),
        Row("the store on disk", on_disk / 2**20, "MiB"),
        Row.of_samples("show", [1e3 * s for s in seconds], "ms", _SHOW),
        Row(
            f"the service, {num_shows} shows later",
            after / 2**20,
            "MiB",
            ratio=after / before,
            peer=before / 2**20,
            bar=_FLAT,
        ),
        Row(
            "the bundle, against that of 1,000 steps",
            large / 2**10,
            "KiB",
            ratio=large / small,
            peer=small / 2**10,
            bar=_SMALL,
        ),
    ]
    return finish(rows, options)


if __name__ == "__main__":
    sys.exit(main())
