"""Thirty users at once on one base model and two cores: a class, with a panel open for each.

A real service with keys for all of them. Each trains an adapter of their own (ranks 4 to 32, rows
of many lengths), every fifth is greedy and trains three at once. All read their events live and ask
an adapter something on the way. Bars: every run finishes; tokens are shared by user with a Jain
index of at least 0.95 while all are at work (three times as much for three runs would be 0.75);
nobody sees an event later than a second after it was written (95th percentile); and the processes
need as much memory at the end as when all had begun.

Steps are equally large: who asks for less in a step is served less, which is no unfairness.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import httpx
import psutil

from benchmarks.report import Bar, Row, build_parser, finish
from benchmarks.service_overhead import run_service
from benchmarks.user_keys import make_keys
from tests.tiny_model import build_tiny_model
from twinkle_jupyter.client.discovery import Connection

_FAIR = Bar(0.95, "at least", "value")
_LAG = Bar(1000.0, "at most", "value")
_FLAT = Bar(1.1, "at most", "ratio")
_RANKS = (4, 8, 16, 32)
_BATCH_SIZE = 8
#: Every so many-th user trains so many adapters at once.
_GREEDY_EVERY, _GREEDY_RUNS = 5, 3
_MEMORY_EVERY_S = 1.0
_MODEL = "tiny"
#: Of a busy machine: the first step may wait for everybody's adapters to be made.
_TIMEOUT_S = 900.0
_READY_S = 120.0
_WORDS = ("one", "fish", "two", "red", "blue", "seven", "times", "eight", "is", "fifty", "six")


@dataclass
class User:
    """One of the class: what they asked for, and what they saw."""

    name: str
    http: httpx.AsyncClient
    rank: int
    num_runs: int
    steps: int
    #: When each step was told, by the service's clock, and its tokens; of each run.
    served: list[list[tuple[float, int]]] = field(default_factory=list)
    #: Seconds from an entry's being written until it was read.
    lags: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    answers: int = 0
    has_learnt: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self) -> None:
        """Train, and ask beside it."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.num_runs):
                tasks.create_task(self._train(f"mine-{number}"))
            tasks.create_task(self._ask())

    async def _train(self, adapter: str) -> None:
        """Start a run and read its events to the end."""
        config = {
            "adapter": adapter,
            "base_model": _MODEL,
            "rank": self.rank,
            "batch_size": _BATCH_SIZE,
            "steps": self.steps,
            "eval_fraction": 0.0,
        }
        body = {"config": config, "records": _records(self.name)}
        started = await self.http.post("/api/v1/runs", json=body)
        run = str(started.raise_for_status().json()["run_id"])
        served: list[tuple[float, int]] = []
        self.served.append(served)
        state = ""
        async with self.http.stream("GET", f"/api/v1/runs/{run}/events") as answer:
            async for line in answer.aiter_lines():
                if not line.startswith("data: "):
                    continue
                entry = json.loads(line.removeprefix("data: "))
                written = datetime.fromisoformat(entry["at"])
                self.lags.append((datetime.now(tz=UTC) - written).total_seconds())
                state = entry["state"] if entry["kind"] == "state" else state
                if entry["kind"] == "step":
                    served.append((written.timestamp(), entry["num_tokens"]))
                if len(served) > self.steps // 3:
                    self.has_learnt.set()
        self.states.append(state)

    async def _ask(self) -> None:
        """Ask the adapter something once it has learnt a little."""
        await self.has_learnt.wait()
        answer = await self.http.post("/api/v1/samples", json=_question("mine-0"))
        self.answers += answer.status_code == 200

    def tokens_in(self, begins: float, ends: float) -> int:
        """Return what was trained on in a time."""
        return sum(n for run in self.served for at, n in run if begins < at <= ends)


@dataclass
class Memory:
    """Resident bytes of the service's processes, once a second."""

    pid: int
    #: By what the process does.
    taken: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            for name, process in self._processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    size = process.memory_info().rss
                    now = datetime.now(tz=UTC).timestamp()
                    self.taken.setdefault(name, []).append((now, size))
            await asyncio.sleep(_MEMORY_EVERY_S)

    def row(self, name: str, begins: float, ends: float, bar: Bar | None) -> Row:
        """Compare the last fifth of a time with its first."""
        sizes = [size for at, size in self.taken[name] if begins <= at <= ends]
        part = max(len(sizes) // 5, 1)
        before, after = statistics.median(sizes[:part]), statistics.median(sizes[-part:])
        return Row(
            f"memory of {name}, at the end",
            after / 2**20,
            "MiB",
            (min(sizes) / 2**20, max(sizes) / 2**20),
            peer=before / 2**20,
            ratio=after / before,
            bar=bar,
        )

    def _processes(self) -> list[tuple[str, psutil.Process]]:
        service = psutil.Process(self.pid)
        found = [("the service", service)]
        for child in service.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                title = " ".join(child.cmdline())
                actors = [one for one in ("RunsActor", "TrainerActor") if f"ray::{one}" in title]
                found += [(f"the {actor}", child) for actor in actors]
        return found


def _question(model: str) -> dict[str, object]:
    messages = [{"role": "user", "content": "Who are you?"}]
    return {"model": model, "messages": messages, "max_tokens": 16}


def _records(name: str) -> list[dict[str, list[dict[str, str]]]]:
    """Return rows of several lengths, another order for each user."""
    seed = int(name.removeprefix("user"))
    rows = []
    for number in range(64):
        length = 3 + (7 * number + seed) % 20
        words = " ".join(_WORDS[(number + seed + i) % len(_WORDS)] for i in range(length))
        turns = (("user", f"Say {number}."), ("assistant", words))
        rows.append({"messages": [{"role": role, "content": text} for role, text in turns]})
    return rows


def jain(amounts: Sequence[float]) -> float:
    """Return Jain's index: 1 where all have the same, 1/n where one has all."""
    return sum(amounts) ** 2 / (len(amounts) * sum(one * one for one in amounts))


def report(users: Sequence[User], memory: Memory, seconds: float) -> list[Row]:
    """Return what was seen."""
    runs = [run for user in users for run in user.served]
    begins, ends = max(run[0][0] for run in runs), min(run[-1][0] for run in runs)
    done = max(run[-1][0] for run in runs)
    shares = [float(user.tokens_in(begins, ends)) for user in users]
    all_tokens = sum(user.tokens_in(begins, done) for user in users)
    lags = sorted(1000 * lag for user in users for lag in user.lags)
    gaps = [after - before for run in runs for (before, _), (after, _) in pairwise(run)]
    finished = sum(user.states.count("finished") for user in users)
    answers = sum(user.answers for user in users)
    lag, gap = (statistics.quantiles(all_, n=20)[-1] for all_ in (lags, gaps))
    all_runs, everybody = (Bar(float(len(one)), "at least", "value") for one in (runs, users))
    return [
        Row("runs that finished", float(finished), "", bar=all_runs),
        Row("users who were answered beside them", float(answers), "", bar=everybody),
        Row("fairness, Jain over tokens", jain(shares), "", (min(shares), max(shares)), bar=_FAIR),
        Row("all of them at work for", ends - begins, "s"),
        Row("from the first request to the last step", seconds, "s"),
        Row("trained on", all_tokens / (done - begins), "tokens/s"),
        Row("from a step to the next, p95", 1000 * gap, "ms", (1000 * min(gaps), 1000 * max(gaps))),
        Row("event lag, p95", lag, "ms", (lags[0], lags[-1]), bar=_LAG),
        memory.row("the service", begins, done, _FLAT),
        memory.row("the RunsActor", begins, done, _FLAT),
        memory.row("the TrainerActor", begins, done, _FLAT),
    ]


async def measure(num_users: int, steps: int) -> list[Row]:
    """Start everything and watch."""
    with tempfile.TemporaryDirectory() as text:
        home = Path(text)
        model = build_tiny_model(home / "tiny")
        os.environ["TWINKLE_BASE_MODELS"] = json.dumps({_MODEL: {"source": str(model)}})
        names = [f"user{number}" for number in range(num_users)]
        (home / "twinkle").mkdir()
        keys = await make_keys(home / "twinkle", *names)
        async with run_service(home, Path(_MODEL)) as connection:
            await _until_ready(connection, keys[0])
            async with contextlib.AsyncExitStack() as stack:
                users = []
                for number, (name, key) in enumerate(zip(names, keys, strict=True)):
                    headers = {"X-API-Key": key}
                    http = httpx.AsyncClient(
                        base_url=connection.url, headers=headers, timeout=_TIMEOUT_S
                    )
                    await stack.enter_async_context(http)
                    num_runs = 1 if number % _GREEDY_EVERY else _GREEDY_RUNS
                    users.append(User(name, http, _RANKS[number % len(_RANKS)], num_runs, steps))
                memory = Memory(connection.pid)
                watch = asyncio.create_task(memory.watch())
                started = time.perf_counter()
                async with asyncio.timeout(_TIMEOUT_S), asyncio.TaskGroup() as tasks:
                    for user in users:
                        tasks.create_task(user.work())
                seconds = time.perf_counter() - started
                watch.cancel()
                return report(users, memory, seconds)


async def _until_ready(connection: Connection, key: str) -> None:
    async with httpx.AsyncClient(base_url=connection.url, headers={"X-API-Key": key}) as http:
        async with asyncio.timeout(_READY_S):
            # Once asked, the service has joined Ray, whose library is half of its memory.
            body = _question("base")
            while (await http.post("/api/v1/samples", json=body)).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.2)


def main() -> int:
    """Measure and report."""
    parser = build_parser(__doc__)
    parser.add_argument("--users", type=int, help="how many (30)")
    parser.add_argument("--steps", type=int, help="of each run (60)")
    options = parser.parse_args()
    num_users = options.users or (10 if options.quick else 30)
    steps = options.steps or (20 if options.quick else 60)
    return finish(asyncio.run(measure(num_users, steps)), options)


if __name__ == "__main__":
    sys.exit(main())
