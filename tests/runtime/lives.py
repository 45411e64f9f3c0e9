"""Trainers one after another on what the one before had on disk, as after a kill."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.durability import JournalPlace
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
)
from twinkle_jupyter.store.artifacts import has_folder
from twinkle_jupyter.store.sqlite import SqliteStore

A, B, C = AdapterId("a"), AdapterId("b"), AdapterId("c")
SPECS = {
    A: AdapterSpec(rank=2, alpha=4.0, seed=1),
    B: AdapterSpec(rank=2, alpha=4.0, seed=2),
    C: AdapterSpec(rank=3, alpha=4.0, seed=3),
}


@dataclass
class Home:
    """Where trainers one after another keep their journal."""

    model: Path
    folder: Path
    cut_every_s: float = 1e9
    num_lives: int = 0
    settings: TrainerSettings = field(default_factory=TrainerSettings)

    @property
    def life(self) -> Path:
        """What is on disk for the next trainer."""
        return self.folder / f"life-{self.num_lives}"

    @asynccontextmanager
    async def trainer(self, *, keeps: bool = True) -> AsyncIterator[TrainLoop]:
        """A trainer whose successor finds what was on disk at the block's end, as after a kill."""
        trainer, store = self.make(keeps=keeps)
        await trainer.start()
        try:
            yield trainer
            await asyncio.to_thread(self.end_life)
        finally:
            await trainer.close()
            await store.close()

    def make(self, *, keeps: bool = True) -> tuple[TrainLoop, SqliteStore]:
        """A trainer that has not started, and its store."""
        self.life.mkdir(exist_ok=True)
        store = SqliteStore.open(self.life / "store.sqlite3")
        cuts = self.life / "cuts"
        place = JournalPlace(store, "journal", cuts, cut_every_s=self.cut_every_s)
        trainer = TrainLoop(
            self.model,
            base_model_name="tiny",
            num_threads=1,
            settings=self.settings,
            place=place if keeps else None,
        )
        return trainer, store

    def end_life(self) -> None:
        """Give the next trainer what is on disk now."""
        before = self.life
        self.num_lives += 1
        # A kill stops everything at once; copying does not, and a cut may be on its way meanwhile.
        # One that was torn on purpose stays so, however often it is copied.
        for _ in range(20):
            shutil.rmtree(self.life, ignore_errors=True)
            if _copy(before, self.life):
                break


def _copy(source: Path, target: Path) -> bool:
    """Copy a life; tell whether the folders are those that the store names."""
    target.mkdir()
    try:
        if (source / "cuts").exists():
            ignored = shutil.ignore_patterns(".*")
            shutil.copytree(source / "cuts", target / "cuts", ignore=ignored)
    except (shutil.Error, OSError):
        return False
    with (
        closing(sqlite3.connect(source / "store.sqlite3")) as live,
        closing(sqlite3.connect(target / "store.sqlite3")) as copy,
    ):
        live.backup(copy)
        found = copy.execute("SELECT value FROM rows WHERE key = 'trainer/journal'").fetchone()
    names = json.loads(found[0])["folders"].values() if found else ()
    return all(has_folder(target / "cuts" / name) for name in names)


def row(adapter_id: AdapterId, step: int) -> Example:
    random = Random(f"{adapter_id}{step}")  # noqa: S311 - no secret
    size = random.randint(3, 9)
    return Example.from_sequence([random.randrange(5, 60) for _ in range(size)], [1.0] * size)


async def step_of(trainer: TrainLoop, adapter_id: AdapterId, step: int) -> ForwardBackwardResult:
    result, _ = await asyncio.gather(
        trainer.forward_backward(
            ForwardBackward(adapter_id, 2 * step - 1, (row(adapter_id, step),))
        ),
        trainer.optim_step(OptimStep(adapter_id, 2 * step, AdamWSettings(learning_rate=1e-2))),
    )
    return result


async def steps_of(
    trainer: TrainLoop, adapters: Sequence[AdapterId], steps: Sequence[int]
) -> list[float]:
    """All of these adapters take each step at once, in one micro-batch."""
    losses = []
    for step in steps:
        results = await asyncio.gather(*(step_of(trainer, key, step) for key in adapters))
        losses += [result.loss_sum for result in results]
    return losses


async def weights_of(trainer: TrainLoop, adapters: Sequence[AdapterId]) -> list[np.ndarray]:
    return [(await trainer.snapshot(key)).weights for key in adapters]
