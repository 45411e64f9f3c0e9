"""What a user who asks for much costs one who asks for little, on a real service with both.

The polite user trains one adapter by turns alone and beside a greedy user's eight, which rest
meanwhile: a machine that has been at work for a minute is slower than one that was idle. With two
users a fair share is half the machine, so that a step alone there would take twice as long; the bar
is 1.3 times that, at the 95th percentile. Nothing here is simulated: `scheduler.py` plays the same
in virtual time with more users.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from benchmarks.first_point import start_service
from benchmarks.report import Bar, Row, finish, parse_options
from benchmarks.user_keys import make_keys
from tests.journeys.conftest import wait_until
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.datasets.records import load_records
from twinkle_jupyter.launch.model_fetch import ensure_base_model

_BAR = Bar(1.3, "at most")
_NUM_GREEDY = 8
_NUM_USERS = 2
#: Steps that are left out: the first ones load and measure.
_WARM_UP = 4
_READY_S = 120.0


def train(client: Client, adapter: str, steps: int, batch_size: int) -> str:
    """Begin a run; return its id."""
    config = RunConfig(
        adapter=adapter, steps=steps, batch_size=batch_size, checkpoint_every=10 * steps
    )
    return client.start_run(config, load_records("self_cognition").records).run_id


def step_seconds(client: Client, run_id: str) -> list[float]:
    """Follow a run to its end; return what each step took, the first ones left out."""
    moments = [
        datetime.fromisoformat(str(event.entry["at"]))
        for event in client.events(run_id)
        if event.entry["kind"] == "step"
    ]
    taken = [(after - before).total_seconds() for before, after in pairwise(moments)]
    return taken[_WARM_UP:]


def measure(rounds: int, steps: int) -> tuple[list[float], list[float], int]:
    """Return the polite user's steps alone and in company, and how far the greedy one came."""
    alone: list[float] = []
    beside: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        os.environ["TWINKLE_HOME"] = f"{home}/twinkle"
        os.environ["JUPYTER_RUNTIME_DIR"] = f"{home}/runtime"
        service, connection = start_service()
        keys = asyncio.run(make_keys(Path(home, "twinkle"), "p", "g"))
        users = [Connection(connection.url, key) for key in keys]
        with Client(users[0]) as polite, Client(users[1]) as greedy:
            wait_until(lambda: polite.service().phase == "ready", _READY_S, "loading")
            # Whatever is loaded or measured at first is over then.
            step_seconds(polite, train(polite, "warm-up", steps, 2))
            runs = [train(greedy, f"g{n}", 10_000, 8) for n in range(_NUM_GREEDY)]
            for number in range(rounds):
                _wait_for_steps(greedy, runs)
                beside += step_seconds(polite, train(polite, f"beside{number}", steps, 2))
                for run in runs:
                    greedy.pause(run)
                wait_until(lambda: _all_are(greedy, runs, "paused"), _READY_S, "pausing")
                alone += step_seconds(polite, train(polite, f"alone{number}", steps, 2))
                for run in runs:
                    greedy.resume(run)
            done = sum(greedy.run(run).step for run in runs)
            for run in runs:
                greedy.stop(run)
        service.communicate(timeout=60)
    return alone, beside, done


def _wait_for_steps(client: Client, runs: Sequence[str]) -> None:
    """Wait until each run has taken a step more."""
    before = {run: client.run(run).step for run in runs}
    wait_until(
        lambda: all(client.run(run).step > step for run, step in before.items()), _READY_S, "a step"
    )


def _all_are(client: Client, runs: Sequence[str], state: str) -> bool:
    return all(client.run(run).state == state for run in runs)


def report(alone: Sequence[float], beside: Sequence[float], num_greedy: int) -> list[Row]:
    """Compare with the share of one of two users."""
    share, p95 = (_NUM_USERS * _p95(alone), _p95(beside))
    medians = statistics.median(alone), statistics.median(beside)
    return [
        Row("a polite user's step alone, median", medians[0], "s", (min(alone), max(alone))),
        Row(
            f"the same beside {_NUM_GREEDY} adapters of one greedy user, median",
            medians[1],
            "s",
            (min(beside), max(beside)),
        ),
        Row("p95 beside / p95 of its fair share alone", p95 / share, "x", bar=_BAR),
        Row("steps of the greedy user meanwhile", num_greedy, ""),
    ]


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def main() -> int:
    """Measure and report."""
    options = parse_options(__doc__)
    ensure_base_model(DEFAULT_BASE_MODEL, lambda _: None)
    return finish(report(*measure(1 if options.quick else 3, 14 if options.quick else 24)), options)


if __name__ == "__main__":
    sys.exit(main())
