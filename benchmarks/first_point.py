"""How long from `train` to the first live point, to the changed answer: cold, then warm.

The same calls that the magic makes, without a browser: start the service, post the run, follow its
events. Cold means that no service runs; the base model is in the cache. The journey test measures
the same in a real browser.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Bar, Row, finish, parse_options
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.discovery import Connection, find_connection
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.datasets.records import load_records
from twinkle_jupyter.launch.model_fetch import ensure_base_model

BARS = {"cold: first point": 25.0, "warm: first point": 5.0, "cold: changed answer": 90.0}
PROBE = "What is your name?"
STEPS = 24


def start_service() -> tuple[subprocess.Popen[bytes], Connection]:
    command = [sys.executable, "-m", "twinkle_jupyter.cli", "serve", "--until-stdin-closes"]
    service = subprocess.Popen(command, stdin=subprocess.PIPE)
    while (connection := find_connection()) is None:
        assert service.poll() is None, "the service ended at once"
        time.sleep(0.02)
    return service, connection


def train(client: Client, adapter: str, started: float) -> dict[str, float]:
    config = RunConfig(adapter=adapter, steps=STEPS, probe=(PROBE,))
    run = client.start_run(config, load_records("self_cognition").records)
    seconds: dict[str, float] = {}
    for event in client.events(run.run_id):
        passed = time.monotonic() - started
        match event.entry:
            case {"kind": "step"}:
                seconds.setdefault("first point", passed)
                seconds["last point"] = passed
            case {"kind": "probe", "step": int(step), "answer": str(answer)} if step > 0:
                if "Twinkle" in answer:
                    seconds.setdefault("changed answer", passed)
    seconds["finished"] = time.monotonic() - started
    return seconds


def measure(repeats: int) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as home:
            os.environ["TWINKLE_HOME"] = f"{home}/twinkle"
            os.environ["JUPYTER_RUNTIME_DIR"] = f"{home}/runtime"
            started = time.monotonic()
            service, connection = start_service()
            with Client(connection) as client:
                for state in ("cold", "warm"):
                    for name, value in train(client, state, started).items():
                        samples.setdefault(f"{state}: {name}", []).append(value)
                    started = time.monotonic()
            service.communicate(timeout=30)
    return samples


def main() -> int:
    options = parse_options(__doc__)
    folder = ensure_base_model(DEFAULT_BASE_MODEL, lambda _: None)
    _warm_page_cache(folder)
    rows = [
        Row(
            name=name,
            value=statistics.median(values),
            unit="s",
            spread=(min(values), max(values)),
            bar=Bar(BARS[name], "at most") if name in BARS else None,
        )
        for name, values in measure(1 if options.quick else 3).items()
    ]
    return finish(rows, options)


def _warm_page_cache(folder: Path) -> None:
    """A first start right after a reboot would measure the disk."""
    for path in folder.iterdir():
        path.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
