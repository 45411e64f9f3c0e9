"""Ops that are computed in parts, by a trainer that ends in the middle and one that goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from tests.runtime.lives import SPECS, A, B, Home, row, steps_of, weights_of
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.example import Example
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.op_part import OpPart
from twinkle_jupyter.scheduling.request import AdamWSettings, ForwardBackward, OptimStep
from twinkle_jupyter.store.sqlite import SqliteStore

pytestmark = pytest.mark.usefixtures("no_company")


def _large(sequence_id: int) -> ForwardBackward:
    """An op that is planned in parts beside another user's small ones."""
    rows = tuple(Example.from_sequence([5 + n, *range(6, 70)], [1.0] * 65) for n in range(16))
    return ForwardBackward(A, sequence_id, rows)


async def _train_in_parts(trainer: TrainLoop, first: int) -> list[float]:
    """Have A take two steps with large ops while B, another user's, takes small ones."""
    settings = AdamWSettings(learning_rate=1e-2)
    steps = range(1 + 10 * first, 11 + 10 * first)
    small_losses = await steps_of(trainer, (B,), steps[:1])
    small = asyncio.create_task(steps_of(trainer, (B,), steps[1:]))
    losses = []
    for number in (4 * first + 1, 4 * first + 3):
        passed, _ = await asyncio.gather(
            trainer.forward_backward(_large(number)),
            trainer.optim_step(OptimStep(A, number + 1, settings)),
        )
        losses.append(passed.loss_sum)
    return [*losses, *small_losses, *await small]


async def _plans_with_parts(home: Home) -> list[dict[str, list[int]]]:
    store = SqliteStore.open(home.life / "store.sqlite3")
    entries = [one.entry for one in await store.read("journal", 0, 1000)]
    await store.close()
    return [cast("dict[str, list[int]]", one["rows"]) for one in entries if "rows" in one]


async def test_an_op_in_parts_learns_what_it_learns_whole_and_is_repeated_to_the_same_bits(
    home: Home,
) -> None:
    async with home.trainer(keeps=False) as alone:
        for key in (A, B):
            await alone.create_adapter(key, SPECS[key], user=f"user of {key}")
        expected = [(await alone.forward_backward(_large(1))).loss_sum]
        await alone.optim_step(OptimStep(A, 2, AdamWSettings(learning_rate=1e-2)))
        expected.append((await alone.forward_backward(_large(3))).loss_sum)
        await alone.optim_step(OptimStep(A, 4, AdamWSettings(learning_rate=1e-2)))
        expected += await steps_of(alone, (B,), range(1, 11))
        whole = await weights_of(alone, (A, B))

    async with home.trainer() as trainer:
        for key in (A, B):
            await trainer.create_adapter(key, SPECS[key], user=f"user of {key}")
        assert await _train_in_parts(trainer, 0) == pytest.approx(expected, rel=1e-4)
        weights = await weights_of(trainer, (A, B))
    for ours, theirs in zip(weights, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    assert len(await _plans_with_parts(home)) >= 4
    async with home.trainer() as trainer:
        for ours, theirs in zip(await weights_of(trainer, (A, B)), weights, strict=True):
            assert np.array_equal(ours, theirs)
        told = await trainer.forward_backward(_large(3))
        assert told.loss_sum == pytest.approx(expected[1], rel=1e-4)
        await _train_in_parts(trainer, 1)


@pytest.mark.parametrize("cut_every_s", [1e9, 0.0])
async def test_a_kill_between_two_parts_costs_nothing_and_counts_nothing_twice(
    home: Home, monkeypatch: pytest.MonkeyPatch, cut_every_s: float
) -> None:
    """The next life does the whole op, and the one after that repeats both.

    With cuts after every plan, the newest one is of the middle of the op.
    """
    settings = AdamWSettings(learning_rate=1e-2)
    async with home.trainer(keeps=False) as unbroken:
        await unbroken.create_adapter(A, SPECS[A])
        await unbroken.forward_backward(ForwardBackward(A, 1, (row(A, 1),)))
        expected = await unbroken.forward_backward(_large(2))
        await unbroken.optim_step(OptimStep(A, 3, settings))
        [weights] = await weights_of(unbroken, (A,))

    home.cut_every_s = cut_every_s
    await _end_within(home, monkeypatch)
    assert await _plans_with_parts(home) == [{"0": [0, 4]}]
    for _ in range(2):
        async with home.trainer() as trainer:
            told = await trainer.forward_backward(_large(2))
            assert told.loss_sum == pytest.approx(expected.loss_sum, rel=1e-5)
            assert [len(each) for each in told.logprobs] == [64] * 16
    async with home.trainer() as trainer:
        await trainer.optim_step(OptimStep(A, 3, settings))
        [ours] = await weights_of(trainer, (A,))
        np.testing.assert_allclose(ours, weights, rtol=1e-3, atol=1e-4)


async def _end_within(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A life of a trainer that ends when a part of A's op 2 is done."""
    compute, loop = StepEngine.forward_backward_parts, asyncio.get_running_loop()
    reached, is_over = asyncio.Event(), threading.Event()

    def stop_within(engine: StepEngine, parts: Sequence[OpPart]) -> object:
        if any(part.adapter_id == A and part.start for part in parts):
            loop.call_soon_threadsafe(reached.set)
            is_over.wait(60)
        return compute(engine, parts)

    trainer, store = home.make()
    await trainer.start()
    for key in (A, B):
        await trainer.create_adapter(key, SPECS[key], user=f"user of {key}")
    await trainer.forward_backward(ForwardBackward(A, 1, (row(A, 1),)))
    # Somebody else is at work first, whom the op has to leave room for.
    await trainer.forward_backward(ForwardBackward(B, 1, (row(B, 1),)))
    with monkeypatch.context() as patch:
        patch.setattr(StepEngine, "forward_backward_parts", stop_within)
        large = asyncio.create_task(trainer.forward_backward(_large(2)))
        async with asyncio.timeout(60):
            await reached.wait()
        await trainer._durability.journal.flushed()
        await asyncio.to_thread(home.end_life)
        is_over.set()
        await trainer.close()
        await asyncio.gather(large, return_exceptions=True)
        await store.close()
