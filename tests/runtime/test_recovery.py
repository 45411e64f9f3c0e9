"""A trainer that is let go of in the middle, and one that goes on from what it left."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.lives import SPECS, A, B, C, Home, row, step_of, steps_of, weights_of
from twinkle_jupyter.errors import (
    ConflictError,
    InvalidDataError,
    NotFoundError,
    TwinkleError,
)
from twinkle_jupyter.example import Example
from twinkle_jupyter.runtime.forgotten import forget_at_start
from twinkle_jupyter.runtime.handles import AdapterPosition
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    Refusal,
    SaveCheckpoint,
)
from twinkle_jupyter.store.sqlite import SqliteStore

pytestmark = pytest.mark.usefixtures("no_company")


@pytest.mark.parametrize("cut_every_s", [1e9, 0.0])
async def test_a_trainer_that_comes_back_goes_on_to_the_same_bits(
    home: Home, cut_every_s: float
) -> None:
    adapters, losses = (A, B, C), []
    async with home.trainer(keeps=False) as unbroken:
        for key in adapters:
            await unbroken.create_adapter(key, SPECS[key])
        expected = await steps_of(unbroken, adapters, range(1, 13))
        weights = await weights_of(unbroken, adapters)

    home.cut_every_s = cut_every_s
    for first in (1, 4, 7, 10):
        async with home.trainer() as trainer:
            for key in adapters:
                await trainer.create_adapter(key, SPECS[key])
                at = AdapterPosition(2 * first - 1, first - 1, has_gradient=False)
                assert await trainer.position(key) == at
            losses += await steps_of(trainer, adapters, range(first, first + 3))
    async with home.trainer() as trainer:
        assert losses == expected
        for ours, theirs in zip(await weights_of(trainer, adapters), weights, strict=True):
            assert np.array_equal(ours, theirs)


async def test_answers_stay_what_they_were(home: Home) -> None:
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        told = await step_of(trainer, A, 1)
        gradient = await trainer.forward_backward(ForwardBackward(A, 3, (row(A, 2),)))
        with pytest.raises(TwinkleError) as refused:
            await trainer.forward_backward(
                ForwardBackward(A, 4, (Example((99_999,), (1,), (1.0,)),))
            )
    async with home.trainer() as trainer:
        assert await trainer.position(A) == AdapterPosition(5, 1, has_gradient=True)
        again = await trainer.forward_backward(ForwardBackward(A, 1, (row(A, 1),)))
        assert (again.loss_sum, again.logprobs) == (told.loss_sum, told.logprobs)
        again = await trainer.forward_backward(ForwardBackward(A, 3, (row(A, 2),)))
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
        first = ForwardBackward(A, 1, (row(A, 1),))
        await asyncio.wait([later], timeout=0.2)
        await trainer._durability.journal.flushed()
    with pytest.raises(TwinkleError):
        await later
    async with home.trainer() as trainer:
        await trainer.forward_backward(first)
        assert await trainer.position(A) == AdapterPosition(3, 1, has_gradient=False)


async def test_what_was_accepted_is_carried_out_and_told_whoever_asks(home: Home) -> None:
    settings = AdamWSettings(learning_rate=1e-2)
    async with home.trainer(keeps=False) as unbroken:
        await unbroken.create_adapter(A, SPECS[A])
        expected = await step_of(unbroken, A, 1)
        weights = await weights_of(unbroken, (A,))
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        # Nobody waits for any of them, and two are there before the first.
        await trainer.accept(Refusal(A, 3, "No such loss.", "Choose another."))
        await trainer.accept(OptimStep(A, 2, settings))
        with pytest.raises(NotFoundError, match="was not sent"):
            await trainer.outcome(A, 1)
        asked = asyncio.create_task(trainer.outcome(A, 2))
        await asyncio.wait([asked], timeout=0.05)
        asked.cancel()
        await asyncio.wait([asked])
    async with home.trainer() as trainer:
        await trainer.accept(ForwardBackward(A, 1, (row(A, 1),)))
        told = await trainer.outcome(A, 1)
        assert isinstance(told, ForwardBackwardResult)
        assert told.loss_sum == expected.loss_sum
        assert told.queue_seconds >= 0
        assert (await trainer.position(A)) == AdapterPosition(4, 1, has_gradient=False)
        with pytest.raises(InvalidDataError, match="No such loss"):
            await trainer.outcome(A, 3)
        # Accepted again it is known, and another op under its id is not.
        await trainer.accept(OptimStep(A, 2, settings))
    async with home.trainer() as trainer:
        with pytest.raises(InvalidDataError, match="No such loss"):
            await trainer.outcome(A, 3)
        assert np.array_equal((await weights_of(trainer, (A,)))[0], weights[0])


async def test_a_parked_adapter_is_whole_on_disk_before_it_leaves(
    home: Home, tmp_path: Path
) -> None:
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await step_of(trainer, A, 1)
        await trainer.forward_backward(ForwardBackward(A, 3, (row(A, 2),)))
        assert not await trainer.park(A, str(tmp_path / "late"), 3)
        assert await trainer.position(A) == AdapterPosition(4, 1, has_gradient=True)
        assert await trainer.park(A, str(tmp_path / "parked"), 4)
    async with home.trainer() as trainer:
        assert await trainer.position(A) is None
        assert await trainer.load_adapter(A, str(tmp_path / "parked")) == 1
        assert await trainer.position(A) == AdapterPosition(1, 1, has_gradient=True)
        assert await trainer.load_adapter(B, str(tmp_path / "parked"), fresh_optimizer=True) == 0
    async with home.trainer() as trainer:
        # What a fresh optimizer begins with is in no checkpoint, and comes back all the same.
        assert await trainer.position(B) == AdapterPosition(1, 0, has_gradient=False)
        ours, theirs = await weights_of(trainer, (A, B))
        assert np.array_equal(ours, theirs)


async def test_an_op_that_was_cancelled_stays_so(home: Home) -> None:
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        second = asyncio.create_task(trainer.forward_backward(ForwardBackward(A, 2, (row(A, 2),))))
        await asyncio.wait([second], timeout=0.05)
        second.cancel()
        await asyncio.wait([second])
        told = await _answers_of(trainer)
    async with home.trainer() as trainer:
        assert await _answers_of(trainer) == told


async def _answers_of(trainer: TrainLoop) -> list[object]:
    """The first op as it is, the second cancelled, the third as it is after that."""
    first = await trainer.forward_backward(ForwardBackward(A, 1, (row(A, 1),)))
    third = await trainer.forward_backward(ForwardBackward(A, 3, (row(A, 3),)))
    with pytest.raises(ConflictError, match="cancelled"):
        await trainer.forward_backward(ForwardBackward(A, 2, ()))
    return [first.loss_sum, third.loss_sum, (await trainer.snapshot(A)).version]


async def test_a_removed_adapter_does_not_come_back(home: Home) -> None:
    async with home.trainer() as trainer:
        for key in (A, B):
            await trainer.create_adapter(key, SPECS[key])
        await steps_of(trainer, (A, B), (1, 2))
        await trainer.remove_adapter(A)
        await steps_of(trainer, (B,), (3,))
        weights = await weights_of(trainer, (B,))
    async with home.trainer() as trainer:
        assert await trainer.position(A) is None
        assert np.array_equal((await weights_of(trainer, (B,)))[0], weights[0])


async def test_an_adapter_given_up_while_no_trainer_was_there_is_gone(home: Home) -> None:
    async with home.trainer() as trainer:
        for key in (A, B):
            await trainer.create_adapter(key, SPECS[key])
        await steps_of(trainer, (A, B), (1, 2))
    store = SqliteStore.open(home.life / "store.sqlite3")
    await forget_at_start(store, "journal", A)
    await store.close()
    for _ in range(2):
        async with home.trainer() as trainer:
            assert await trainer.position(A) is None
            assert await trainer.position(B) == AdapterPosition(5, 2, has_gradient=False)


async def test_a_loaded_checkpoint_is_not_needed_twice(home: Home, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await steps_of(trainer, (A,), (1, 2))
        await trainer.save_checkpoint(SaveCheckpoint(A, 5, str(saved)))
        assert await trainer.load_adapter(B, str(saved)) == 2
        for file in saved.iterdir():
            file.unlink()
        saved.rmdir()
        await step_of(trainer, B, 1)
        weights = await weights_of(trainer, (A, B))
    async with home.trainer() as trainer:
        for ours, theirs in zip(await weights_of(trainer, (A, B)), weights, strict=True):
            assert np.array_equal(ours, theirs)


async def test_a_torn_folder_loses_its_own_adapter_and_no_other(home: Home) -> None:
    home.cut_every_s = 0.0
    async with home.trainer() as trainer:
        for key in (A, B):
            await trainer.create_adapter(key, SPECS[key])
        await _take_steps_until_cut(trainer, home)
        weights = await weights_of(trainer, (B,))
    for folder in (home.life / "cuts").glob("a-*"):
        (folder / "optimizer.safetensors").write_bytes(b"torn")
    async with home.trainer() as trainer:
        assert await trainer.position(A) is None
        with pytest.raises(NotFoundError):
            await trainer.snapshot(A)
        assert np.array_equal((await weights_of(trainer, (B,)))[0], weights[0])


async def _take_steps_until_cut(trainer: TrainLoop, home: Home) -> None:
    store = SqliteStore.open(home.life / "store.sqlite3")
    step = 0
    while await store.get("trainer/journal") is None:
        step += 1
        await steps_of(trainer, (A, B), (step,))
    await store.close()


async def test_the_journal_is_cut_off_behind_a_cut(home: Home) -> None:
    home.cut_every_s = 0.0
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        store = SqliteStore.open(home.life / "store.sqlite3")
        step, is_short = 0, False
        while not is_short and step < 500:
            step += 1
            await step_of(trainer, A, step)
            entries = await store.read("journal", limit=10_000)
            is_short = entries[0].position > 100 and len(entries) < 100
        assert is_short
        await store.close()
    assert len(list((home.life / "cuts").iterdir())) <= 2


async def test_a_checkpoint_that_was_whole_is_not_made_again(home: Home, tmp_path: Path) -> None:
    whole, lost = tmp_path / "whole", tmp_path / "lost"
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await step_of(trainer, A, 1)
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
