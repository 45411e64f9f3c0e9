"""Whatever happens in whatever order, the next life has what the one before had, bit by bit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
import torch

from tests.runtime.lives import SPECS, Home
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.engine.adapter_bank import AdapterState
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    Op,
    OptimStep,
    SaveCheckpoint,
    StepEffect,
)
from twinkle_jupyter.store.sqlite import SqliteStore

_ALL = {**SPECS, AdapterId("d"): AdapterSpec(rank=2, alpha=4.0, seed=9, targets=("q_proj",))}
_NUM_LIVES = 4
_PARTS = ("parameters", "exp_avg", "exp_avg_sq", "gradient")


@dataclass
class History:
    """What is done to some trainers, one after another, as one seed has it."""

    home: Home
    random: Random
    folder: Path
    #: Of each adapter that there is, the sequence id of its next op.
    next_ids: dict[AdapterId, int] = field(default_factory=dict)
    saved: list[str] = field(default_factory=list)

    async def act(self, trainer: TrainLoop) -> None:
        """Do one thing."""
        key = self.random.choice(list(_ALL))
        if key not in self.next_ids:
            await trainer.create_adapter(key, _ALL[key], user=f"user of {key}")
            self.next_ids[key] = 1
            return
        match self.random.randrange(20):
            case 0:
                await trainer.remove_adapter(key)
                del self.next_ids[key]
            case 1 | 2:
                path = str(self.folder / f"save-{len(self.saved)}")
                await trainer.save_checkpoint(SaveCheckpoint(key, self._take_id(key), path))
                self.saved.append(path)
            case 3 | 4 if self.saved:
                folder, fresh = self.random.choice(self.saved), self.random.random() < 0.3
                user = f"user of {key}"
                await trainer.load_adapter(key, folder, user=user, fresh_optimizer=fresh)
                self.next_ids[key] = 1
            case 5 | 6 | 7:
                await self._cut(trainer)
            case _:
                await self._run_ops(trainer)

    def _take_id(self, key: AdapterId) -> int:
        self.next_ids[key] += 1
        return self.next_ids[key] - 1

    async def _run_ops(self, trainer: TrainLoop) -> None:
        """Several ops of several adapters, in any order; some callers leave."""
        keys = self.random.sample(sorted(self.next_ids), self.random.randint(1, len(self.next_ids)))
        ops = [self._op(key) for key in keys for _ in range(self.random.randint(1, 4))]
        self.random.shuffle(ops)
        calls = [asyncio.create_task(trainer._intake.run(op)) for op in ops]
        if self.random.random() < 0.3:
            for _ in range(self.random.randint(1, 6)):
                await asyncio.sleep(0)
            for call in self.random.sample(calls, self.random.randint(0, len(calls))):
                call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def _op(self, key: AdapterId) -> Op:
        number, choice = self._take_id(key), self.random.random()
        if choice < 0.55:
            loss = self.random.choice(["cross_entropy", "cross_entropy", "importance_sampling"])
            rows = tuple(self._row() for _ in range(self.random.choice([1, 2, 3, 8, 12])))
            forward_only = self.random.random() < 0.15
            return ForwardBackward(key, number, rows, loss, forward_only=forward_only)
        if choice < 0.62:  # a token that there is not
            return ForwardBackward(key, number, (Example((5, 99_999), (6, 7), (1.0, 1.0)),))
        if choice < 0.95:
            settings = AdamWSettings(learning_rate=self.random.choice([1e-2, 1e-3]))
            return OptimStep(key, number, settings, needs_gradient=self.random.random() < 0.7)
        effects: tuple[StepEffect, ...] = ("measure", "discard")
        effect = self.random.choice(effects)
        return OptimStep(key, number, AdamWSettings(1e-3), effect=effect, needs_gradient=False)

    def _row(self) -> Example:
        length = self.random.randint(1, 30)
        tokens = [self.random.randrange(5, 60) for _ in range(length + 1)]
        weights = [self.random.choice([0.0, 1.0, 0.5]) for _ in tokens]
        row = Example.from_sequence(tokens, weights)
        return replace(row, advantages=(1.0,) * length, sampled_logprobs=(-2.0,) * length)

    async def _cut(self, trainer: TrainLoop) -> None:
        durability = trainer._durability
        await durability.finish_cut()
        durability.begin_cut(await trainer._copy_cut(), trainer._scheduler.as_added)
        if self.random.random() < 0.7:
            await durability.finish_cut()

    async def end_life(self, trainer: TrainLoop, store: SqliteStore) -> None:
        """End it, well or not."""
        await trainer._durability.journal.flushed()
        if self.random.random() < 0.7:
            await asyncio.to_thread(self.home.end_life)
        await trainer.close()
        await store.close()


async def _states(trainer: TrainLoop) -> dict[AdapterId, tuple[object, AdapterState]]:
    found: dict[AdapterId, tuple[object, AdapterState]] = {}
    for key in _ALL:
        if (position := await trainer.position(key)) is not None:
            state = await trainer._thread.call(lambda engine, key=key: engine.copy_adapter(key))  # type: ignore[misc]
            found[key] = (position, state)
    return found


def _check_equal(ours: AdapterState, theirs: AdapterState) -> None:
    for name in _PARTS:
        one, other = getattr(ours, name), getattr(theirs, name)
        if one is None or other is None:
            assert one is other, name
        else:
            assert torch.equal(torch.nan_to_num(one), torch.nan_to_num(other)), name


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_lost_and_nothing_comes_back(
    home: Home, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)  # noqa: S311 - an order of events
    home.settings = TrainerSettings(
        max_active_adapters=random.choice([1, 2, 4]),
        token_budget=random.choice([64, 200, 8192]),
        host_memory_for_adapters=20_000,
    )
    history = History(home, random, tmp_path)
    trainer, store = home.make()
    await trainer.start()
    for _ in range(_NUM_LIVES):
        for _ in range(random.randint(5, 14)):
            await history.act(trainer)
        before = await _states(trainer)
        await history.end_life(trainer, store)
        trainer, store = home.make()
        await trainer.start()
        after = await _states(trainer)
        assert after.keys() == before.keys() == history.next_ids.keys()
        for key, (position, state) in after.items():
            assert position == before[key][0]
            _check_equal(state, before[key][1])
    await trainer.close()
    await store.close()
