"""What service, Ray and journal add to an operation: the same one by HTTP and in this process.

A real service on a two-layer model, whose operations take milliseconds themselves, in processes of
its own; the same engine here. Both take turns. Bars: a future of the Tinker protocol adds at most
15 ms, a pass of the Twinkle protocol 10 ms, the first token of a stream 30 ms, and 500 held polls
leave the service answering in 20 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import httpx

from benchmarks.report import Bar, Row, finish, parse_options
from benchmarks.tinker_user import ROW, TinkerUser
from tests.tiny_model import build_tiny_model
from twinkle_jupyter.client.discovery import Connection, find_connection
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.durability import JournalPlace
from twinkle_jupyter.runtime.local import open_local_compute
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.sampler.interface import SampleRequest, SamplingSettings
from twinkle_jupyter.scheduling.request import AdapterSpec, ForwardBackward
from twinkle_jupyter.store.sqlite import SqliteStore

_FUTURE, _PASS, _TOKEN, _POLLS = (Bar(bar, "at most", "value") for bar in (15.0, 10.0, 30.0, 20.0))
_HELD_POLLS = 500
_AT_ONCE = 32


async def measure_alternating(
    sides: Mapping[str, Callable[[], Awaitable[float]]], rounds: int
) -> dict[str, list[float]]:
    """Return milliseconds of both, in turn; the first rounds warm up."""
    samples: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 5):
        for side, call in sides.items():
            value = await call()
            if number >= 5:
                samples[side].append(value)
    return samples


def add_rows(name: str, samples: dict[str, list[float]], bar: Bar) -> list[Row]:
    """Return what the service adds, at the median and at the 95th percentile."""
    ours, peer = samples["service"], samples["in process"]
    added = [one - statistics.median(peer) for one in ours]
    p95 = statistics.quantiles(ours, n=20)[-1] - statistics.quantiles(peer, n=20)[-1]
    return [
        Row.of_samples(f"{name}: added, median", added, "ms", bar),
        Row.of_samples(f"{name}: added, p95", [p95], "ms", None),
    ]


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    async with asyncio.timeout(20):
        await call()
    return 1000 * (time.perf_counter() - started)


async def bench_future(user: TinkerUser, trainer: TrainLoop, rounds: int) -> list[Row]:
    """One forward pass by its future, and the same awaited here with the same journal."""
    adapter_id, numbers = AdapterId("a"), itertools.count(1)
    await trainer.create_adapter(adapter_id, AdapterSpec(rank=8, alpha=32.0, seed=1))
    example = Example.from_sequence(ROW, [1.0] * len(ROW))

    async def here() -> None:
        op = ForwardBackward(
            adapter_id, next(numbers), (example,), forward_only=True, scores_all=True
        )
        await trainer.forward_backward(op)

    sides = {"service": lambda: timed(user.forward), "in process": lambda: timed(here)}
    return add_rows(
        "a future of the Tinker protocol", await measure_alternating(sides, rounds), _FUTURE
    )


async def bench_pass(
    http: httpx.AsyncClient, model: str, trainer: TrainLoop, rounds: int
) -> list[Row]:
    """One forward and backward pass as the Twinkle protocol has it, and the same awaited here."""
    adapter_id, numbers = AdapterId("b"), itertools.count(1)
    await trainer.create_adapter(adapter_id, AdapterSpec(rank=8, alpha=32.0, seed=1))
    example = Example.from_sequence(ROW, [1.0] * len(ROW))
    session = (await http.post("/api/v1/twinkle/create_session", json={})).json()["session_id"]
    headers = {"X-Twinkle-Session-Id": session}

    async def post(route: str, **body: object) -> None:
        path = f"/api/v1/model/{model}/twinkle/{route}"
        content = {"adapter_name": "a", **body}
        (await http.post(path, json=content, headers=headers)).raise_for_status()

    await post("add_adapter_to_model", config={"r": 8, "lora_alpha": 32})
    row = {"input_ids": ROW[:-1], "labels": ROW[1:]}

    async def here() -> None:
        await trainer.forward_backward(ForwardBackward(adapter_id, next(numbers), (example,)))

    sides = {
        "service": lambda: timed(lambda: post("forward_backward", inputs=[row])),
        "in process": lambda: timed(here),
    }
    return add_rows(
        "a pass of the Twinkle protocol", await measure_alternating(sides, rounds), _PASS
    )


async def bench_first_token(http: httpx.AsyncClient, folder: Path, rounds: int) -> list[Row]:
    """The first token of a chat by HTTP, and of the same prompt here."""
    async with open_local_compute(folder, base_model_name=str(folder)) as local:
        from twinkle_jupyter.templates.chat_template import ChatTemplate

        template = ChatTemplate.load(folder)
        messages = [{"role": "user", "content": "Who are you?"}]
        prompt = template.encode_prompt(messages)
        body = {"model": str(folder), "messages": messages, "max_tokens": 4, "stream": True}

        async def by_http() -> float:
            started = time.perf_counter()
            async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: {") and '"content":""' not in line:
                        return 1000 * (time.perf_counter() - started)
            return float("nan")

        async def here() -> float:
            request = SampleRequest(prompt, SamplingSettings(max_tokens=4), template.stop_token_ids)
            started = time.perf_counter()
            async with contextlib.aclosing(local.sampler.sample(request)) as deltas:
                await anext(deltas)
            return 1000 * (time.perf_counter() - started)

        samples = await measure_alternating({"service": by_http, "in process": here}, rounds)
    return add_rows("the first token of a stream", samples, _TOKEN)


async def bench_held_polls(http: httpx.AsyncClient, user: TinkerUser) -> Row:
    """How fast the service answers while hundreds wait for what does not come."""
    ahead = await user.send_ahead()
    held = [asyncio.create_task(user.result(ahead)) for _ in range(_HELD_POLLS)]
    await asyncio.sleep(5.0)
    assert not any(one.done() for one in held), "they are to wait"
    lags = [await timed(lambda: http.get("/healthz")) for _ in range(200)]
    for one in held:
        one.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    p95 = statistics.quantiles(lags, n=20)[-1]
    return Row.of_samples(f"an answer beside {_HELD_POLLS} held polls, p95", [p95], "ms", _POLLS)


async def bench_samples_at_once(http: httpx.AsyncClient, model: str) -> Row:
    """Many short answers asked for together, against as many times one of them."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 16,
        "seed": 1,
    }

    async def ask() -> None:
        (await http.post("/v1/chat/completions", json=body)).raise_for_status()

    one = statistics.median([await timed(ask) for _ in range(8)])
    started = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))
    ratio = 1000 * (time.perf_counter() - started) / (_AT_ONCE * one)
    name = f"{_AT_ONCE} samples at once, over one after another"
    return Row.of_samples(name, [ratio], "x", None)


@contextlib.asynccontextmanager
async def run_service(home: Path, model: Path) -> AsyncIterator[Connection]:
    """Start a service as a notebook would, and end it afterwards."""
    os.environ.update(
        TWINKLE_HOME=str(home / "twinkle"),
        JUPYTER_RUNTIME_DIR=str(home / "runtime"),
        TWINKLE_BASE_MODEL=str(model),
        # As the trainer in this process: it is the same operation only then.
        TWINKLE_TRAINER__DTYPE="float32",
        TWINKLE_PLACEMENT__NUM_THREADS="1",
    )
    command = [sys.executable, "-m", "twinkle_jupyter.cli", "serve", "--until-stdin-closes"]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE)
    try:
        yield await asyncio.to_thread(_wait_for_connection)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await asyncio.wait_for(process.wait(), 60)


def _wait_for_connection() -> Connection:
    deadline = time.monotonic() + 60
    while (connection := find_connection()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError("the service did not start")
        time.sleep(0.1)
    return connection


async def measure(rounds: int) -> list[Row]:
    """Start everything and take all measurements."""
    with tempfile.TemporaryDirectory() as text:
        home = Path(text)
        model = build_tiny_model(home / "tiny")
        place = JournalPlace(
            SqliteStore.open(home / "here.sqlite3"), secrets.token_hex(4), home / "cuts"
        )
        trainer = TrainLoop(model, base_model_name="tiny", num_threads=1, place=place)
        await trainer.start()
        async with run_service(home, model) as connection:
            headers = {"X-API-Key": connection.api_key}
            limits = httpx.Limits(max_connections=2 * _HELD_POLLS)
            async with httpx.AsyncClient(
                base_url=connection.url, headers=headers, limits=limits, timeout=120
            ) as http:
                user = TinkerUser(http, str(model))
                await user.begin()
                rows = [
                    *await bench_future(user, trainer, rounds),
                    *await bench_pass(http, str(model), trainer, rounds),
                    *await bench_first_token(http, model, rounds),
                    await bench_samples_at_once(http, str(model)),
                    await bench_held_polls(http, user),
                ]
        await trainer.close()
        await place.store.close()
    return rows


def main() -> int:
    """Measure and report."""
    options = parse_options(__doc__)
    rounds = 30 if options.quick else 200
    return finish(asyncio.run(measure(rounds)), options)


if __name__ == "__main__":
    sys.exit(main())
