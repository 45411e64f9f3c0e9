"""A trainer that is let go of in the middle, and one that goes on from what it left."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest

from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import ConflictError, NotFoundError, RunFailedError, TwinkleError
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.durability import JournalPlace
from twinkle_jupyter.runtime.handles import AdapterPosition
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    SaveCheckpoint,
)
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
            self.model, base_model_name="tiny", num_threads=1, place=place if keeps else None
        )
        return trainer, store

    def end_life(self) -> None:
        before = self.life
        self.num_lives += 1
        self.life.mkdir()
        with (
            closing(sqlite3.connect(before / "store.sqlite3")) as source,
            closing(sqlite3.connect(self.life / "store.sqlite3")) as target,
        ):
            source.backup(target)
        if (before / "cuts").exists():
            shutil.copytree(before / "cuts", self.life / "cuts")


@pytest.fixture
def home(tiny_model: Path, tmp_path: Path) -> Home:
    return Home(tiny_model, tmp_path)


def _row(adapter_id: AdapterId, step: int) -> Example:
    random = Random(f"{adapter_id}{step}")  # noqa: S311 - no secret
    size = random.randint(3, 9)
    return Example.from_sequence([random.randrange(5, 60) for _ in range(size)], [1.0] * size)


async def _step(trainer: TrainLoop, adapter_id: AdapterId, step: int) -> ForwardBackwardResult:
    result, _ = await asyncio.gather(
        trainer.forward_backward(
            ForwardBackward(adapter_id, 2 * step - 1, (_row(adapter_id, step),))
        ),
        trainer.optim_step(OptimStep(adapter_id, 2 * step, AdamWSettings(learning_rate=1e-2))),
    )
    return result


async def _steps(
    trainer: TrainLoop, adapters: Sequence[AdapterId], steps: Sequence[int]
) -> list[float]:
    """All of these adapters take each step at once, in one micro-batch."""
    losses = []
    for step in steps:
        results = await asyncio.gather(*(_step(trainer, key, step) for key in adapters))
        losses += [result.loss_sum for result in results]
    return losses


async def _weights(trainer: TrainLoop, adapters: Sequence[AdapterId]) -> list[np.ndarray]:
    return [(await trainer.snapshot(key)).weights for key in adapters]


@pytest.mark.parametrize("cut_every_s", [1e9, 0.0])
async def test_a_trainer_that_comes_back_goes_on_to_the_same_bits(
    home: Home, cut_every_s: float
) -> None:
    adapters, losses = (A, B, C), []
    async with home.trainer(keeps=False) as unbroken:
        for key in adapters:
            await unbroken.create_adapter(key, SPECS[key])
        expected = await _steps(unbroken, adapters, range(1, 13))
        weights = await _weights(unbroken, adapters)

    home.cut_every_s = cut_every_s
    for first in (1, 4, 7, 10):
        async with home.trainer() as trainer:
            for key in adapters:
                await trainer.create_adapter(key, SPECS[key])
                at = AdapterPosition(2 * first - 1, first - 1, has_gradient=False)
                assert await trainer.position(key) == at
            losses += await _steps(trainer, adapters, range(first, first + 3))
    async with home.trainer() as trainer:
        assert losses == expected
        for ours, theirs in zip(await _weights(trainer, adapters), weights, strict=True):
            assert np.array_equal(ours, theirs)


async def test_answers_stay_what_they_were(home: Home) -> None:
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        told = await _step(trainer, A, 1)
        gradient = await trainer.forward_backward(ForwardBackward(A, 3, (_row(A, 2),)))
        with pytest.raises(TwinkleError) as refused:
            await trainer.forward_backward(
                ForwardBackward(A, 4, (Example((99_999,), (1,), (1.0,)),))
            )
    async with home.trainer() as trainer:
        assert await trainer.position(A) == AdapterPosition(5, 1, has_gradient=True)
        again = await trainer.forward_backward(ForwardBackward(A, 1, (_row(A, 1),)))
        assert (again.loss_sum, again.logprobs) == (told.loss_sum, told.logprobs)
        again = await trainer.forward_backward(ForwardBackward(A, 3, (_row(A, 2),)))
        assert (again.loss_sum, again.logprobs) == (gradient.loss_sum, gradient.logprobs)
        with pytest.raises(type(refused.value)) as refused_again:
            await trainer.forward_backward(ForwardBackward(A, 4, ()))
        assert str(refused_again.value) == str(refused.value)


async def test_what_was_taken_in_is_carried_out_by_whoever_comes_next(home: Home) -> None:
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        # Out of order: it is taken in, and cannot run before the first.
        later = asyncio.create_task(
            trainer.optim_step(OptimStep(A, 2, AdamWSettings(learning_rate=1e-2)))
        )
        first = ForwardBackward(A, 1, (_row(A, 1),))
        await asyncio.wait([later], timeout=0.2)
        await trainer._durability.journal.flushed()
    with pytest.raises(TwinkleError):
        await later
    async with home.trainer() as trainer:
        await trainer.forward_backward(first)
        assert await trainer.position(A) == AdapterPosition(3, 1, has_gradient=False)


async def test_an_op_that_was_cancelled_stays_so(home: Home) -> None:
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        second = asyncio.create_task(trainer.forward_backward(ForwardBackward(A, 2, (_row(A, 2),))))
        await asyncio.wait([second], timeout=0.05)
        second.cancel()
        await asyncio.wait([second])
        told = await _answers_of(trainer)
    async with home.trainer() as trainer:
        assert await _answers_of(trainer) == told


async def _answers_of(trainer: TrainLoop) -> list[object]:
    """The first op as it is, the second cancelled, the third as it is after that."""
    first = await trainer.forward_backward(ForwardBackward(A, 1, (_row(A, 1),)))
    third = await trainer.forward_backward(ForwardBackward(A, 3, (_row(A, 3),)))
    with pytest.raises(ConflictError, match="cancelled"):
        await trainer.forward_backward(ForwardBackward(A, 2, ()))
    return [first.loss_sum, third.loss_sum, (await trainer.snapshot(A)).version]


async def test_a_removed_adapter_does_not_come_back(home: Home) -> None:
    async with home.trainer() as trainer:
        for key in (A, B):
            await trainer.create_adapter(key, SPECS[key])
        await _steps(trainer, (A, B), (1, 2))
        await trainer.remove_adapter(A)
        await _steps(trainer, (B,), (3,))
        weights = await _weights(trainer, (B,))
    async with home.trainer() as trainer:
        assert await trainer.position(A) is None
        assert np.array_equal((await _weights(trainer, (B,)))[0], weights[0])


async def test_a_loaded_checkpoint_is_not_needed_twice(home: Home, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await _steps(trainer, (A,), (1, 2))
        await trainer.save_checkpoint(SaveCheckpoint(A, 5, str(saved)))
        assert await trainer.load_adapter(B, str(saved)) == 2
        for file in saved.iterdir():
            file.unlink()
        saved.rmdir()
        await _step(trainer, B, 1)
        weights = await _weights(trainer, (A, B))
    async with home.trainer() as trainer:
        for ours, theirs in zip(await _weights(trainer, (A, B)), weights, strict=True):
            assert np.array_equal(ours, theirs)


async def test_a_torn_folder_loses_its_own_adapter_and_no_other(home: Home) -> None:
    home.cut_every_s = 0.0
    async with home.trainer() as trainer:
        for key in (A, B):
            await trainer.create_adapter(key, SPECS[key])
        await _steps(trainer, (A, B), range(1, 6))
        weights = await _weights(trainer, (B,))
    for folder in (home.life / "cuts").glob("a-*"):
        (folder / "optimizer.safetensors").write_bytes(b"torn")
    async with home.trainer() as trainer:
        assert await trainer.position(A) is None
        with pytest.raises(NotFoundError):
            await trainer.snapshot(A)
        assert np.array_equal((await _weights(trainer, (B,)))[0], weights[0])


async def test_the_journal_is_cut_off_behind_a_cut(home: Home) -> None:
    home.cut_every_s = 0.0
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        store = SqliteStore.open(home.life / "store.sqlite3")
        step, is_short = 0, False
        while not is_short and step < 500:
            step += 1
            await _step(trainer, A, step)
            entries = await store.read("journal", limit=10_000)
            is_short = entries[0].position > 100 and len(entries) < 100
        assert is_short
        await store.close()
    assert len(list((home.life / "cuts").iterdir())) <= 2


async def test_a_checkpoint_that_was_whole_is_not_made_again(home: Home, tmp_path: Path) -> None:
    whole, lost = tmp_path / "whole", tmp_path / "lost"
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await _step(trainer, A, 1)
        await trainer.save_checkpoint(SaveCheckpoint(A, 3, str(whole)))
        shutil.rmtree(whole)  # its owner wants it no more
        saving = asyncio.create_task(trainer.save_checkpoint(SaveCheckpoint(A, 4, str(lost))))
        while await trainer.position(A) != AdapterPosition(5, 1, has_gradient=False):
            await asyncio.wait([saving], timeout=0.01)
        await trainer._durability.journal.flushed()
    await saving
    shutil.rmtree(lost)  # as if the process had ended before it was whole
    journal = home.life / "store.sqlite3"
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("DELETE FROM entries WHERE entry LIKE '%saved%' AND entry LIKE '%lost%'")
        connection.commit()
    async with home.trainer() as trainer:
        saved = await trainer.save_checkpoint(SaveCheckpoint(A, 4, str(lost)))
        assert (saved.step, lost.is_dir(), whole.exists()) == (1, True, False)


async def test_an_op_that_ends_every_process_is_refused_in_the_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine stops for good where a process would end; what is on disk then is what counts."""
    ended, is_over = asyncio.Event(), threading.Event()
    loop, compute = asyncio.get_running_loop(), StepEngine.forward_backward

    def end(engine: StepEngine, ops: Sequence[ForwardBackward]) -> object:
        if any(op.adapter_id == A for op in ops):
            loop.call_soon_threadsafe(ended.set)
            is_over.wait(60)
        return compute(engine, ops)

    async def live() -> list[object] | None:
        """Return what was answered, None if the life ended before."""
        ended.clear()
        is_over.clear()
        trainer, store = home.make()
        working = asyncio.create_task(_work_with_both(trainer))
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        has_ended = ending.done()
        await asyncio.to_thread(home.end_life)
        ending.cancel()
        is_over.set()
        await asyncio.wait([working])
        await trainer.close()
        await store.close()
        return None if has_ended else working.result()

    monkeypatch.setattr(StepEngine, "forward_backward", end)
    num_ended = 0
    while (answers := await live()) is None:
        num_ended += 1
        assert num_ended < 8
    guilty, innocent = answers
    assert isinstance(guilty, RunFailedError)
    assert "ended 2 times while it carried out op 1 of adapter 'a'" in str(guilty)
    assert isinstance(innocent, ForwardBackwardResult)
    assert num_ended == 4


async def _work_with_both(trainer: TrainLoop) -> list[object]:
    await trainer.start()
    for key in (A, B):
        await trainer.create_adapter(key, SPECS[key])
    ops = (ForwardBackward(key, 1, (_row(key, 1),)) for key in (A, B))
    return [*await asyncio.gather(*map(trainer.forward_backward, ops), return_exceptions=True)]
