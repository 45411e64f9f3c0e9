"""A trainer as its callers see it: order, answers, removal, and a clean end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from twinkle_jupyter.errors import (
    SENT_BEFORE,
    ConflictError,
    InvalidDataError,
    NotFoundError,
    ServiceUnavailableError,
)
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import (
    AdapterPosition,
    Compute,
    ComputeStatus,
    TrainerHandle,
)
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    CheckpointSaved,
    ForwardBackward,
    OptimStep,
    SaveCheckpoint,
)

A, B = AdapterId("a"), AdapterId("b")
SPEC = AdapterSpec(rank=2, alpha=4.0)
ROW = Example.from_sequence((5, 6, 7, 8), (1.0,) * 4)
BAD_ROW = Example.from_sequence((5, 99_999), (1.0,) * 2)


def _forward_backward(
    adapter_id: AdapterId, sequence_id: int, row: Example = ROW
) -> ForwardBackward:
    return ForwardBackward(adapter_id, sequence_id, (row,))


def _optim_step(adapter_id: AdapterId, sequence_id: int) -> OptimStep:
    return OptimStep(adapter_id, sequence_id, AdamWSettings(learning_rate=1e-2))


async def _take_steps(trainer: TrainerHandle, adapter_id: AdapterId, num_steps: int) -> list[float]:
    """Two ops in flight, as the run driver sends them."""
    losses = []
    for number in range(num_steps):
        result, _ = await asyncio.gather(
            trainer.forward_backward(_forward_backward(adapter_id, 2 * number + 1)),
            trainer.optim_step(_optim_step(adapter_id, 2 * number + 2)),
        )
        losses.append(result.loss_sum)
    return losses


async def test_adapters_trained_at_once_learn_and_are_answered_apart(compute: Compute) -> None:
    await asyncio.gather(*(compute.trainer.create_adapter(key, SPEC) for key in (A, B)))
    alone = await _take_steps(compute.trainer, A, 5)
    await compute.trainer.remove_adapter(A)
    await compute.trainer.create_adapter(A, SPEC)
    together, other = await asyncio.gather(
        _take_steps(compute.trainer, A, 5), _take_steps(compute.trainer, B, 5)
    )
    assert together == pytest.approx(alone, rel=1e-4)
    assert other == pytest.approx(alone, rel=1e-4)
    assert together[-1] < together[0]


async def test_ops_run_in_the_order_of_their_ids_and_once(compute: Compute) -> None:
    trainer = compute.trainer
    await trainer.create_adapter(A, SPEC)
    early = asyncio.create_task(trainer.optim_step(_optim_step(A, 2)))
    first = await trainer.forward_backward(_forward_backward(A, 1))
    assert (await early).step == 1
    assert await trainer.forward_backward(_forward_backward(A, 1)) == first
    assert (await trainer.optim_step(_optim_step(A, 2))).step == 1
    assert (await trainer.snapshot(A)).version == 1
    with pytest.raises(ConflictError, match="Sequence id 2 of adapter 'a' was another request"):
        await trainer.forward_backward(_forward_backward(A, 2))


async def test_a_new_op_is_never_taken_for_one_that_was_sent_before(compute: Compute) -> None:
    trainer = compute.trainer
    await trainer.create_adapter(A, SPEC)
    first = await trainer.run_new(_forward_backward(A, 1))
    ahead = asyncio.create_task(trainer.optim_step(_optim_step(A, 3)))
    await asyncio.sleep(0)
    for taken in (1, 4):
        with pytest.raises(ConflictError, match=f"Sequence id {taken} .* next free one, 2") as told:
            await trainer.run_new(_forward_backward(A, taken))
        assert told.value.code == SENT_BEFORE
    assert await trainer.run_new(_forward_backward(A, 2)) != first
    assert (await ahead).step == 1
    position = await trainer.position(A)
    assert position is not None
    assert position.next_sequence_id == 4


async def test_a_bad_op_fails_alone_and_the_next_goes_on(compute: Compute) -> None:
    trainer = compute.trainer
    await asyncio.gather(*(trainer.create_adapter(key, SPEC) for key in (A, B)))
    bad = asyncio.create_task(trainer.forward_backward(_forward_backward(A, 1, BAD_ROW)))
    good = await trainer.forward_backward(_forward_backward(B, 1))
    for _ in range(2):
        with pytest.raises(InvalidDataError, match="Example 1 has target id 99999"):
            await bad
        bad = asyncio.create_task(trainer.forward_backward(_forward_backward(A, 1, BAD_ROW)))
    with pytest.raises(InvalidDataError, match="Example 1 has target id 99999"):
        await bad
    assert (await trainer.forward_backward(_forward_backward(A, 2))).loss_sum == pytest.approx(
        good.loss_sum, rel=1e-5
    )


async def test_removing_fails_what_waits(compute: Compute) -> None:
    trainer = compute.trainer
    await trainer.create_adapter(A, SPEC)
    waiting = asyncio.create_task(trainer.optim_step(_optim_step(A, 2)))
    await asyncio.sleep(0)
    await trainer.remove_adapter(A)
    with pytest.raises(NotFoundError, match="Adapter 'a' was removed"):
        await waiting
    with pytest.raises(NotFoundError, match="Adapter 'a' is not on this trainer"):
        await trainer.forward_backward(_forward_backward(A, 1))
    with pytest.raises(NotFoundError, match="Adapter 'a' is not on this trainer"):
        await trainer.snapshot(A)
    await trainer.remove_adapter(A)


async def test_a_loaded_checkpoint_replaces_the_slot_and_counts_from_one(
    compute: Compute, tmp_path: Path
) -> None:
    trainer = compute.trainer
    await trainer.create_adapter(A, SPEC)
    await _take_steps(trainer, A, 2)
    before = await trainer.snapshot(A)
    saved = await trainer.save_checkpoint(SaveCheckpoint(A, 5, str(tmp_path / "ckpt")))
    assert saved == CheckpointSaved(step=2, size_bytes=saved.size_bytes)
    result = await trainer.forward_backward(_forward_backward(A, 6))
    await trainer.optim_step(_optim_step(A, 7))
    waiting = asyncio.create_task(trainer.optim_step(_optim_step(A, 9)))
    await asyncio.sleep(0)

    assert await trainer.load_adapter(A, str(tmp_path / "ckpt")) == 2
    with pytest.raises(ConflictError, match="Adapter 'a' was loaded from a checkpoint"):
        await waiting
    after = await trainer.snapshot(A)
    assert (after.version, after.spec) == (2, SPEC)
    assert np.array_equal(after.weights, before.weights)
    again = await trainer.forward_backward(_forward_backward(A, 1))
    assert again.loss_sum == result.loss_sum


async def test_a_checkpoint_that_is_not_there_leaves_the_slot(
    compute: Compute, tmp_path: Path
) -> None:
    await compute.trainer.create_adapter(A, SPEC)
    await _take_steps(compute.trainer, A, 1)
    with pytest.raises(NotFoundError, match="There is no complete folder 'nowhere'"):
        await compute.trainer.load_adapter(A, str(tmp_path / "nowhere"))
    assert (await compute.trainer.optim_step(_optim_step(A, 2))).step == 1


async def test_a_snapshot_does_not_change_with_the_adapter(compute: Compute) -> None:
    await compute.trainer.create_adapter(A, SPEC)
    snapshot = await compute.trainer.snapshot(A)
    before = snapshot.weights.copy()
    await _take_steps(compute.trainer, A, 2)
    assert np.array_equal(snapshot.weights, before)
    assert snapshot.weights.dtype == np.float32
    assert not np.array_equal((await compute.trainer.snapshot(A)).weights, before)


async def test_a_caller_who_leaves_does_not_stop_the_op(compute: Compute) -> None:
    trainer = compute.trainer
    await trainer.create_adapter(A, SPEC)
    leaving = asyncio.create_task(trainer.forward_backward(_forward_backward(A, 1)))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await trainer.optim_step(_optim_step(A, 2))).step == 1


async def test_an_op_whose_caller_left_before_its_turn_is_not_run(compute: Compute) -> None:
    trainer = compute.trainer
    await trainer.create_adapter(A, SPEC)
    leaving = asyncio.create_task(trainer.optim_step(_optim_step(A, 2)))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await trainer.forward_backward(_forward_backward(A, 1))
    with pytest.raises(ConflictError, match="Sequence id 2 of adapter 'a' was cancelled"):
        await trainer.optim_step(_optim_step(A, 2))
    assert (await trainer.optim_step(_optim_step(A, 3))).step == 1


async def test_an_op_says_how_long_it_waited(compute: Compute) -> None:
    trainer = compute.trainer
    await trainer.create_adapter(A, SPEC)
    started = time.monotonic()
    early = asyncio.create_task(trainer.forward_backward(_forward_backward(A, 2)))
    await asyncio.sleep(0)
    first = await trainer.forward_backward(_forward_backward(A, 1))
    second = await early
    passed = time.monotonic() - started
    assert first.queue_seconds < second.queue_seconds
    assert first.seconds <= second.queue_seconds <= passed - second.seconds


async def test_a_user_of_twenty_adapters_leaves_each_of_two_others_a_third(
    compute: Compute,
) -> None:
    trainer = compute.trainer
    rows = (Example.from_sequence((5, 6, 7, 8) * 16, (1.0,) * 64),) * 4
    served: Counter[str] = Counter()
    adapters = {AdapterId(f"greedy-{number}"): "greedy" for number in range(20)}
    polite = {AdapterId("ann"): "ann", AdapterId("bob"): "bob"}
    for adapter_id, user in (adapters | polite).items():
        await trainer.create_adapter(adapter_id, SPEC, user=user)

    async def train(adapter_id: AdapterId, user: str, num_steps: int) -> None:
        for number in range(1, 2 * num_steps, 2):
            op = ForwardBackward(adapter_id, number, rows)
            result, _ = await asyncio.gather(
                trainer.forward_backward(op),
                trainer.optim_step(_optim_step(adapter_id, number + 1)),
            )
            served[user] += result.num_tokens

    async with asyncio.timeout(60):
        greedy = [asyncio.create_task(train(key, user, 1000)) for key, user in adapters.items()]
        await asyncio.gather(*(train(key, user, 25) for key, user in polite.items()))
    for task in greedy:
        task.cancel()
    await asyncio.gather(*greedy, return_exceptions=True)
    assert served["ann"] == served["bob"] == 25 * 4 * 63
    # Beside its share it has an op whenever the others' answers are on their way.
    assert served["greedy"] < 1.5 * served["ann"]


async def test_status_waits_for_the_weights_and_closing_ends_what_waits(tiny_model: Path) -> None:
    trainer = TrainLoop(tiny_model, base_model_name="tiny", num_threads=1)
    status = asyncio.create_task(trainer.status())
    messages: list[str] = []
    await trainer.start(messages.append)
    assert await status == ComputeStatus("tiny", True, 0, (await status).memory_bytes, 64)
    assert messages == ["Loading torch and transformers", "Loading weights of tiny"]
    await trainer.create_adapter(A, SPEC)
    waiting = asyncio.create_task(trainer.optim_step(_optim_step(A, 2)))
    running = asyncio.create_task(trainer.forward_backward(_forward_backward(A, 1)))
    await asyncio.sleep(0)
    await trainer.close()
    for task in (waiting, running):
        with pytest.raises(ServiceUnavailableError, match="The trainer is closed"):
            await task
    with pytest.raises(ServiceUnavailableError, match="The trainer is closed"):
        await trainer.snapshot(A)


async def test_a_base_model_that_is_not_there_is_told_to_everybody(tmp_path: Path) -> None:
    trainer = TrainLoop(tmp_path / "nowhere", base_model_name="tiny", num_threads=1)
    waiting = asyncio.create_task(trainer.status())
    with pytest.raises(NotFoundError, match="Base model folder 'nowhere' does not exist"):
        await trainer.start()
    with pytest.raises(NotFoundError, match="Base model folder 'nowhere' does not exist"):
        await waiting
    await trainer.close()


async def test_the_position_tells_where_to_send_on_from(compute: Compute) -> None:
    trainer = compute.trainer
    assert await trainer.position(A) is None
    await trainer.create_adapter(A, SPEC)
    assert await trainer.position(A) == AdapterPosition(1, 0, has_gradient=False)
    await _take_steps(trainer, A, 2)
    # The op is taken in first, so the position waits for it.
    _, position = await asyncio.gather(
        trainer.forward_backward(_forward_backward(A, 5)), trainer.position(A)
    )
    assert position == AdapterPosition(6, 2, has_gradient=True)
