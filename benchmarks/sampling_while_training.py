"""What sampling costs a training that goes on beside it, and how fresh its words are.

Trainer and sampler are the actors of the service, on a Ray of their own; snapshots go through its
object store. One adapter of rank 8 trains on real chat rows without a pause.

*Freshness*: optimizer steps that were taken between the one whose weights answer and its first
token, at worst. *Slowdown*: what a step takes beside four streams, against alone and stretched by
the share of the processors that the sampler used meanwhile. *Hand-over*: from asking the trainer
for a snapshot until the sampler has it. *Base weights* are mapped from one file by both, where the
file has the number type that is computed in; with `--placement with_trainer` both are one process.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.actor_processes import cpu_seconds, find_sampler, measure_memory
from benchmarks.chat_rows import load_chat_rows, to_examples
from benchmarks.number_type import add_dtype_option, decide
from benchmarks.report import Bar, Row, build_parser, finish
from benchmarks.two_sides import ALPHA, RANK, SETTINGS, find_model
from twinkle_jupyter.actors.names import sampler_name, trainer_name
from twinkle_jupyter.config.trainer_settings import (
    Dtype,
    SamplerPlacement,
    SamplerSettings,
    TrainerSettings,
)
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.launch.ray_head import set_ray_environment, start_head
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.sampler.interface import SampleRequest, SamplingSettings
from twinkle_jupyter.scheduling.request import AdapterSpec, ForwardBackward, OptimStep
from twinkle_jupyter.store.opening import open_store

_FRESH = Bar(1, "at most", "value")
_SLOWDOWN = Bar(1.10, "at most", "ratio")
#: Two processes that share every page have each once.
_SHARED = Bar(1.9, "at least", "ratio")
_CORES = 2
_STREAMS = 4
_ROWS = 4


@asynccontextmanager
async def open_actors(
    folder: Path, dtype: Dtype, placement: SamplerPlacement
) -> AsyncIterator[Compute]:
    """Start Ray and trainer and sampler; all of it ends with this process."""
    token = secrets.token_hex(32)
    set_ray_environment(token)
    start_head(_CORES, token)
    from twinkle_jupyter.actors.placement import place
    from twinkle_jupyter.actors.ray_handles import RayTrainerHandle
    from twinkle_jupyter.actors.sampler_actor import SamplerActor
    from twinkle_jupyter.actors.sampler_replicas import find_samplers
    from twinkle_jupyter.actors.trainer_actor import JournalHome, TrainerActor
    from twinkle_jupyter.actors.trainer_with_sampler_actor import TrainerWithSamplerActor

    with tempfile.TemporaryDirectory() as home:
        name = folder.name
        given = (str(folder), name, _CORES)
        training = TrainerSettings(dtype, scratch=f"{home}/scratch")
        sampling = SamplerSettings(dtype=dtype)
        journal = JournalHome(
            functools.partial(open_store, Path(home) / "store.sqlite3", 60.0), "bench", home
        )
        log = f"{home}/actors.log"
        if placement == "with_trainer":
            both = (training, sampling)
            actor = place(TrainerWithSamplerActor, trainer_name(name), *given, both, log, journal)
            await actor.tell(600, "start_sampler")
        else:
            actor = place(TrainerActor, trainer_name(name), *given, training, log, journal)
            await actor.tell(600, "start")
            actor = place(SamplerActor, sampler_name(name), *given, sampling, log)
            await actor.tell(600, "start")
        yield Compute(RayTrainerHandle(trainer_name(name)), find_samplers(name, 1, placement))


@dataclass(slots=True)
class Training:
    """One adapter that trains without a pause."""

    compute: Compute
    adapter: AdapterId
    examples: tuple[Example, ...]
    num_steps: int = 0
    seconds: list[float] = field(default_factory=list)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def begin(self, rank: int) -> None:
        await self.compute.trainer.create_adapter(self.adapter, AdapterSpec(rank, ALPHA))

    async def step(self) -> None:
        started = time.perf_counter()
        trainer = self.compute.trainer
        await asyncio.gather(
            trainer.forward_backward(ForwardBackward(self.adapter, next(self._ids), self.examples)),
            trainer.optim_step(OptimStep(self.adapter, next(self._ids), SETTINGS)),
        )
        self.num_steps += 1
        self.seconds.append(time.perf_counter() - started)

    async def run(self, num_steps: int) -> float:
        """Return the median seconds of so many steps."""
        self.seconds.clear()
        for _ in range(num_steps):
            await self.step()
        return statistics.median(self.seconds)

    async def hand_over(self) -> float:
        """Return the seconds that a snapshot takes from the trainer to the sampler."""
        started = time.perf_counter()
        await self.compute.sampler.hold_newest(self.compute.trainer, self.adapter)
        return time.perf_counter() - started


def _request(training: Training, prompt: tuple[int, ...], num_tokens: int) -> SampleRequest:
    settings = SamplingSettings(max_tokens=num_tokens, temperature=1.0, seed=secrets.randbits(31))
    return SampleRequest(prompt, settings, frozenset(), training.adapter)


async def measure_freshness(
    training: Training, prompt: tuple[int, ...], rounds: int
) -> list[float]:
    """Return the age in steps of first tokens, while training goes on."""
    ages: list[float] = []
    is_over = asyncio.Event()

    async def train() -> None:
        while not is_over.is_set():
            await training.step()

    task = asyncio.create_task(train())
    for _ in range(rounds):
        await training.hand_over()
        async with aclosing(training.compute.sampler.sample(_request(training, prompt, 1))) as one:
            async for delta in one:
                assert delta.version is not None
                ages.append(training.num_steps - delta.version)
    is_over.set()
    await task
    return ages


async def measure_beside(
    training: Training, prompt: tuple[int, ...], num_steps: int, placement: SamplerPlacement
) -> tuple[float, float, float]:
    """Return seconds of a step beside four streams, the sampler's share of all cores, tokens/s."""
    num_tokens = 0

    async def stream() -> None:
        nonlocal num_tokens
        while True:
            async with aclosing(
                training.compute.sampler.sample(_request(training, prompt, 64))
            ) as one:
                async for _ in one:
                    num_tokens += 1

    sampler = find_sampler(placement)
    streams = [asyncio.create_task(stream()) for _ in range(_STREAMS)]
    await training.run(2)
    num_tokens, started, before = 0, time.perf_counter(), cpu_seconds(sampler)
    seconds = await training.run(num_steps)
    wall, used = time.perf_counter() - started, cpu_seconds(sampler) - before
    for task in streams:
        task.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return seconds, used / (_CORES * wall), num_tokens / wall


def freshness_row(ages: Sequence[float]) -> Row:
    """Return how old the weights were at worst: one stale answer is one too many."""
    spread = (min(ages), max(ages))
    return Row("largest age of a first token", max(ages), "steps", spread, bar=_FRESH)


def slowdown_row(
    alone: Sequence[float],
    beside: Sequence[float],
    shares: Sequence[float],
    placement: SamplerPlacement,
) -> Row:
    """Return a step's time beside streams against alone at the cores left, where they are known."""
    expected = [a / (1 - share) for a, share in zip(alone, shares, strict=True)]
    ratios = [b / e for b, e in zip(beside, expected, strict=True)]
    is_apart = placement == "apart"
    return Row(
        f"step beside 4 streams / alone{' at the cores left' if is_apart else ''}",
        1e3 * statistics.median(beside),
        "ms",
        (1e3 * min(beside), 1e3 * max(beside)),
        1e3 * statistics.median(expected),
        statistics.median(ratios),
        (min(ratios), max(ratios)),
        _SLOWDOWN if is_apart else None,
    )


async def measure(
    folder: Path, dtype: Dtype, placement: SamplerPlacement, *, is_quick: bool
) -> list[Row]:
    rows = load_chat_rows(folder)
    examples = to_examples(rows[:_ROWS])
    prompt = rows[_ROWS].ids[:32]
    rounds, num_steps = (3, 6) if is_quick else (12, 20)
    async with open_actors(folder, dtype, placement) as compute:
        training = Training(compute, AdapterId("bench"), examples)
        await training.begin(RANK)
        await training.run(3)
        await training.hand_over()
        ages = await measure_freshness(training, prompt, rounds)
        alone, beside, shares, rates = [], [], [], []
        for _ in range(1 if is_quick else 3):
            alone.append(await training.run(num_steps))
            seconds, share, rate = await measure_beside(training, prompt, num_steps, placement)
            beside.append(seconds)
            shares.append(share)
            rates.append(rate)
        total, once, twice = await asyncio.to_thread(measure_memory)
        handed = [await training.hand_over() for _ in range(rounds)]
        large = Training(compute, AdapterId("large"), examples)
        await large.begin(64)
        await large.hand_over()
        handed_large = [await large.hand_over() for _ in range(rounds)]
    told = [
        freshness_row(ages),
        slowdown_row(alone, beside, shares, placement),
        Row.of_samples("step alone", [1e3 * one for one in alone], "ms", None),
        Row.of_samples("share of the cores that the sampler used", shares, "", None),
        Row.of_samples("4 streams beside training", rates, "tokens/s", None),
        Row("memory of trainer and sampler, shared pages once", total / 2**20, "MiB"),
        Row.of_samples("hand-over, rank 8", [1e3 * one for one in handed], "ms", None),
        Row.of_samples("hand-over, rank 64", [1e3 * one for one in handed_large], "ms", None),
    ]
    if placement == "apart" and twice:
        name = "base weights of both actors, shared pages once / twice"
        told.append(
            Row(name, once / 2**20, "MiB", peer=twice / 2**20, ratio=twice / once, bar=_SHARED)
        )
    return [replace(row, name=f"{row.name}, {dtype}, {placement}") for row in told]


def main() -> int:
    parser = build_parser(__doc__, model=True)
    add_dtype_option(parser)
    parser.add_argument("--placement", default="apart", choices=("apart", "with_trainer"))
    options = parser.parse_args()
    folder = find_model(options.model)
    choice = decide(options, folder)
    rows = asyncio.run(measure(folder, choice.dtype, options.placement, is_quick=options.quick))
    return finish(rows, options, {"number type": str(choice)})


if __name__ == "__main__":
    sys.exit(main())
