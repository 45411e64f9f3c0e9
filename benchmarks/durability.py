"""What it costs that a trainer outlives its process: steps with a journal and cuts, and without.

Both trainers are in this process and take the same steps, some at a time, in turn. Every op and
every plan of ours is on disk (SQLite, `synchronous=FULL`) before it is answered; all adapters that
have changed are written every 20 seconds beside training, as a service does by default.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from benchmarks.chat_rows import load_chat_rows
from benchmarks.report import Bar, Row, Samples, finish, interleave, parse_options
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.engine.allocator import keep_freed_memory
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.launch.model_fetch import ensure_base_model
from twinkle_jupyter.runtime.durability import JournalPlace
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    OptimStep,
)
from twinkle_jupyter.store.sqlite import SqliteStore

#: Durability costs at most 5 % of a step.
_BAR = Bar(0.95, "at least", "ratio")
_CASES = {1: "a step, 1 adapter, 4 chat rows", 8: "a step, 8 adapters, a chat row each"}
_SETTINGS = AdamWSettings(learning_rate=1e-4)


class Trainee:
    """One trainer and its adapters, which step together."""

    def __init__(self, loop: TrainLoop, num_adapters: int, rows: Sequence[Example]) -> None:
        self._loop = loop
        self._adapters = [AdapterId(f"{num_adapters}-{n}") for n in range(num_adapters)]
        self._rows = itertools.cycle(rows)
        self._size = 4 if num_adapters == 1 else 1
        self._sequence_id = 0

    async def begin(self) -> None:
        for number, key in enumerate(self._adapters):
            await self._loop.create_adapter(key, AdapterSpec(rank=8, alpha=16.0, seed=number))

    async def take_steps(self, count: int) -> None:
        """Two ops in flight for each adapter, as the run driver sends them."""
        for _ in range(count):
            self._sequence_id += 2
            ops: list[Coroutine[None, None, object]] = []
            for key in self._adapters:
                examples = tuple(next(self._rows) for _ in range(self._size))
                batch = ForwardBackward(key, self._sequence_id - 1, examples)
                ops.append(self._loop.forward_backward(batch))
                ops.append(self._loop.optim_step(OptimStep(key, self._sequence_id, _SETTINGS)))
            await asyncio.gather(*ops)

    async def end(self) -> None:
        for key in self._adapters:
            await self._loop.remove_adapter(key)


def measure(
    runner: asyncio.Runner,
    loops: dict[str, TrainLoop],
    num_adapters: int,
    rows: Sequence[Example],
    *,
    rounds: int,
    num_steps: int,
) -> Samples:
    """Return seconds a step of both."""
    trainees = {side: Trainee(loop, num_adapters, rows) for side, loop in loops.items()}
    for trainee in trainees.values():
        runner.run(trainee.begin())

    def steps_of(trainee: Trainee) -> Callable[[], None]:
        return lambda: runner.run(trainee.take_steps(num_steps))

    samples = interleave({side: steps_of(one) for side, one in trainees.items()}, rounds)
    for trainee in trainees.values():
        runner.run(trainee.end())
    return Samples(
        {side: [s / num_steps for s in seconds] for side, seconds in samples.seconds.items()}
    )


def main() -> int:
    """Measure and report."""
    options = parse_options(__doc__, model=True)
    rounds, num_steps = options.rounds or (3 if options.quick else 6), 2 if options.quick else 6
    model = options.model or DEFAULT_BASE_MODEL
    folder = ensure_base_model(model, lambda _: None)
    keep_freed_memory()
    import torch

    threads = options.threads or torch.get_num_threads()
    examples = [
        Example.from_sequence(row.ids, [float(learned) for learned in row.learned])
        for row in load_chat_rows(folder)
    ]
    with tempfile.TemporaryDirectory() as home, asyncio.Runner() as runner:
        store = SqliteStore.open(Path(home) / "store.sqlite3")
        place = JournalPlace(store, "journal", Path(home) / "cuts")
        loops = {
            side: TrainLoop(folder, base_model_name=model, num_threads=threads, place=where)
            for side, where in (("durable", place), ("not durable", None))
        }
        for loop in loops.values():
            runner.run(loop.start())
        rows = []
        for num_adapters, name in _CASES.items():
            samples = measure(
                runner, loops, num_adapters, examples, rounds=rounds, num_steps=num_steps
            )
            rows.append(Row.of_times(name, samples, "durable", "not durable", _BAR))
        for loop in loops.values():
            runner.run(loop.close())
        runner.run(store.close())
    return finish(rows, options)


if __name__ == "__main__":
    sys.exit(main())
