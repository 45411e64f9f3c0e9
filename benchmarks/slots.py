"""What it costs when there are more adapters than slots.

A miss: the adapter that a step needs is in host memory, or on disk, and another one makes room. And
the whole: 32 adapters that take turns on 16 slots, against 32 slots, all of them in one call and
each in a call of its own (where every step is a miss). Peer of a miss is one step of the adapter.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.report import Bar, Row, finish, interleave, parse_options
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.engine.allocator import keep_freed_memory
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.residency import AdapterLimits
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.launch.model_fetch import ensure_base_model
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    OptimStep,
)

TOKENS = 64
NUM_ADAPTERS = 32
#: A miss may cost a tenth of a small step; 16 slots shall do nine tenths of what 32 do.
MISS = Bar(10.0, "at least", on="ratio")
NO_CLIFF = Bar(0.9, "at least", on="ratio")
NO_CLIFF_ALONE = Bar(0.8, "at least", on="ratio")


class Bench:
    """An engine with adapters of one rank that learn rows of their own."""

    def __init__(
        self, folder: Path, device: str, rank: int, limits: AdapterLimits, num_adapters: int
    ) -> None:
        base = load_base_model(folder, device=device)
        self.engine = StepEngine(base, base_model_name="bench", limits=limits)
        self.names = [AdapterId(f"adapter-{number}") for number in range(num_adapters)]
        self._device = device
        for number, name in enumerate(self.names):
            self.engine.create_adapter(name, AdapterSpec(rank, 2.0 * rank, seed=number))

    def step(self, names: Sequence[AdapterId]) -> None:
        passed = self.engine.forward_backward(
            [ForwardBackward(name, 1, (_row(self.names.index(name)),)) for name in names]
        )
        stepped = self.engine.optim_step(
            [OptimStep(name, 2, AdamWSettings(1e-3)) for name in names]
        )
        assert not any(isinstance(answer, TwinkleError) for answer in (*passed, *stepped))
        self.wait()

    def fetch(self, name: AdapterId) -> None:
        self.engine.adapters.get(name)
        self.wait()

    def wait(self) -> None:
        if self._device != "cpu":
            torch.cuda.synchronize()


def _row(seed: int) -> Example:
    tokens = [(7 * place + 31 * seed) % 30_000 + 3 for place in range(TOKENS + 1)]
    return Example.from_sequence(tokens, [1.0] * len(tokens))


def measure_misses(folder: Path, device: str, rank: int, rounds: int) -> list[Row]:
    """One slot, two adapters: each use of the other one is a miss."""
    rows = []
    for place, host_bytes in (("host memory", 2**33), ("disk", 0)):
        with tempfile.TemporaryDirectory() as scratch:
            limits = AdapterLimits(1, 2, host_bytes, Path(scratch) / "adapters")
            bench = Bench(folder, device, rank, limits, num_adapters=2)
            misses, steps = [], []
            for number in range(2 * (rounds + 1)):
                name = bench.names[number % 2]
                started = time.perf_counter()
                bench.fetch(name)
                fetched = time.perf_counter()
                bench.step([name])
                misses.append(fetched - started)
                steps.append(time.perf_counter() - fetched)
        misses, steps = misses[2:], steps[2:]
        ratios = [step / miss for step, miss in zip(steps, misses, strict=True)]
        rows.append(
            Row(
                name=f"miss: {place} to slot, rank {rank}",
                value=1e3 * statistics.median(misses),
                unit="ms",
                spread=(1e3 * min(misses), 1e3 * max(misses)),
                peer=1e3 * statistics.median(steps),
                ratio=statistics.median(ratios),
                ratio_spread=(min(ratios), max(ratios)),
                bar=MISS if (place, rank) == ("host memory", 8) else None,
            )
        )
    return rows


def measure_turns(folder: Path, device: str, num_adapters: int, rounds: int) -> list[Row]:
    """Twice as many adapters of rank 8 as slots, against a slot for each."""
    rows, num_slots = [], num_adapters // 2
    with tempfile.TemporaryDirectory() as scratch:
        limits = {
            "a slot for each": AdapterLimits(num_adapters, num_adapters),
            "the others in host memory": AdapterLimits(num_slots, num_adapters),
            "the others on disk": AdapterLimits(num_slots, num_adapters, 0, Path(scratch) / "a"),
        }
        benches = {
            name: Bench(folder, device, 8, each, num_adapters) for name, each in limits.items()
        }
        modes: dict[str, tuple[Callable[[Bench], None], Bar]] = {
            "in one call": (lambda bench: bench.step(bench.names), NO_CLIFF),
            "each alone": (_each_alone, NO_CLIFF_ALONE),
        }
        roomy, *short = benches
        for mode, (run, bar) in modes.items():
            sides = {name: _bind(run, bench) for name, bench in benches.items()}
            samples = interleave(sides, rounds)
            for name in short:
                ratios = samples.ratios(roomy, name)
                least, most = samples.spread(name)
                tokens = num_adapters * TOKENS
                rows.append(
                    Row(
                        name=f"{num_adapters} adapters, {num_slots} slots, {name}, {mode}",
                        value=tokens / samples.median(name),
                        unit="tokens/s",
                        spread=(tokens / most, tokens / least),
                        peer=tokens / samples.median(roomy),
                        ratio=statistics.median(ratios),
                        ratio_spread=(min(ratios), max(ratios)),
                        bar=bar if name == "the others in host memory" else None,
                    )
                )
    return rows


def _each_alone(bench: Bench) -> None:
    for name in bench.names:
        bench.step([name])


def _bind(run: Callable[[Bench], None], bench: Bench) -> Callable[[], None]:
    return lambda: run(bench)


def main() -> int:
    options = parse_options(__doc__, model=True)
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_freed_memory()  # as the trainer does
    folder = ensure_base_model(options.model or DEFAULT_BASE_MODEL, lambda _: None)
    rounds = options.rounds or (1 if options.quick else 5)
    rows = []
    for rank in (8,) if options.quick else (8, 64):
        rows += measure_misses(folder, options.device, rank, rounds)
    num_adapters = 8 if options.quick else NUM_ADAPTERS
    rows += measure_turns(folder, options.device, num_adapters, rounds)
    return finish(rows, options)


if __name__ == "__main__":
    sys.exit(main())
