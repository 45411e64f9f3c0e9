"""What a sweep of eight costs: its wall time against one run of as many steps.

Four learning rates by two ranks on the shipped self_cognition data, with evals and checkpoints,
driven as a service drives runs: the same drivers, store and engine, in this process. The ratio is
that of one round's two times.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from benchmarks.report import Bar, Row, Samples, finish, interleave, parse_options
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.datasets.records import load_records
from twinkle_jupyter.engine.allocator import keep_freed_memory
from twinkle_jupyter.ids import AdapterId, new_adapter_id, new_run_id, new_sweep_id
from twinkle_jupyter.launch.model_fetch import ensure_base_model
from twinkle_jupyter.runs.compute import PreparedModel
from twinkle_jupyter.runs.driver import RunDriver
from twinkle_jupyter.runs.sweep import EVAL_FRACTION, Member, expand
from twinkle_jupyter.runs.sweep_driver import SweepDriver
from twinkle_jupyter.runs.sweep_row import MemberRow, SweepRow, get_sweep
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.runtime.local import open_local_compute
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.store.sqlite import SqliteStore

#: A sweep of eight takes at most as long as three runs, at a small batch.
_BAR = Bar(3.0, "at most", "ratio")
_GRID: dict[str, list[object]] = {"learning_rate": [1e-4, 3e-4, 1e-3, 3e-3], "rank": [4, 16]}
_ONE = {"learning_rate": 1e-3, "rank": 16}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A `ComputeProvider` whose model is there."""

    loaded: Compute
    model_folder: Path

    async def prepare(
        self, base_model: str, say: Callable[[str], Awaitable[None]]
    ) -> PreparedModel:
        del base_model, say
        return PreparedModel(self.model_folder, TrainerSettings())

    async def compute(self, base_model: str, say: Callable[[str], Awaitable[None]]) -> Compute:
        del base_model, say
        return self.loaded

    async def forget(self, base_model: str, adapter_id: AdapterId) -> None:
        del base_model
        await self.loaded.trainer.remove_adapter(adapter_id)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where runs are driven."""

    store: SqliteStore
    artifacts: Path
    provider: Loaded
    lines: str

    async def add_run(self, member: Member) -> MemberRow:
        """Put a run into the store, as the service does."""
        run_id, name = new_run_id(), member.config.adapter
        folder = self.artifacts / "runs" / run_id
        folder.mkdir(parents=True)
        (folder / "records.jsonl").write_text(self.lines, encoding="utf-8")
        config = member.config.model_dump(mode="json")
        run = RunRow(run_id, "ada", new_adapter_id(), name, config, "")
        await self.store.put(RunRow.key(run_id), run.to_row())
        return MemberRow(run_id, name, dict(member.settings))

    async def drive(self, row: MemberRow) -> None:
        """Drive a run to its end, and see that it got there."""
        await RunDriver(self.store, self.artifacts, self.provider, row.run_id).drive()
        run = await self.store.get(RunRow.key(row.run_id))
        assert run is not None
        assert run["state"] == "finished", run["reason"]

    async def one_run(self, config: dict[str, object]) -> float:
        """Return the seconds of one run."""
        members = expand("one", {**config, **_ONE}, {"seed": [0, 1]})
        row = await self.add_run(members[0])
        started = time.perf_counter()
        await self.drive(row)
        return time.perf_counter() - started

    async def sweep(self, config: dict[str, object]) -> float:
        """Return the seconds of the sweep, until its best is known."""
        members = expand("sweep", config, _GRID)
        rows = [await self.add_run(member) for member in members]
        grid = cast("dict[str, list[JSON]]", _GRID)
        sweep = SweepRow(new_sweep_id(), "ada", "sweep", {}, grid, "", tuple(rows))
        await self.store.put(SweepRow.key(sweep.sweep_id), sweep.to_row())
        started = time.perf_counter()
        driver = SweepDriver(self.store, sweep.sweep_id)
        await asyncio.gather(driver.drive(), *(self.drive(row) for row in rows))
        seconds = time.perf_counter() - started
        done = await get_sweep(self.store, sweep.sweep_id)
        assert done is not None
        assert done.best, "one of them is the best"
        return seconds


def _row(name: str, samples: Samples, bar: Bar | None) -> Row:
    ratios = samples.ratios("sweep", "one")
    return Row(
        name,
        samples.median("sweep"),
        "s",
        samples.spread("sweep"),
        samples.median("one"),
        statistics.median(ratios),
        (min(ratios), max(ratios)),
        bar,
    )


def main() -> int:
    """Measure and report."""
    options = parse_options(__doc__, model=True)
    rounds = options.rounds or (1 if options.quick else 3)
    num_steps = 3 if options.quick else 20
    model = options.model or DEFAULT_BASE_MODEL
    folder = ensure_base_model(model, lambda _: None)
    keep_freed_memory()
    import torch

    threads = options.threads or torch.get_num_threads()
    records = load_records("self_cognition").records
    lines = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
    rows = []
    with tempfile.TemporaryDirectory() as home, asyncio.Runner() as runner:
        store = SqliteStore.open(Path(home) / "store.sqlite3")
        compute = open_local_compute(folder, base_model_name=model, num_threads=threads)
        loaded = runner.run(compute.__aenter__())
        bench = Bench(store, Path(home), Loaded(loaded, folder), lines)
        for batch_size, bar in ((1, _BAR), (4, None)):
            config: dict[str, object] = {
                "base_model": model,
                "steps": num_steps,
                "batch_size": batch_size,
                "eval_fraction": EVAL_FRACTION,
            }
            sides = {
                "one": lambda c=config: runner.run(bench.one_run(c)),
                "sweep": lambda c=config: runner.run(bench.sweep(c)),
            }
            samples = interleave(sides, rounds, warm_ups=0 if options.quick else 1)
            name = f"a sweep of 8, {num_steps} steps, batch size {batch_size}: over one run"
            rows.append(_row(name, samples, bar))
        runner.run(compute.__aexit__(None, None, None))
        runner.run(store.close())
    return finish(rows, options)


if __name__ == "__main__":
    sys.exit(main())
