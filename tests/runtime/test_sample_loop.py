"""A sampler as its callers see it: streams side by side, newest weights, cancel."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from twinkle_jupyter.errors import NotFoundError, QuotaExceededError, ServiceUnavailableError
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime import sample_loop
from twinkle_jupyter.runtime.handles import Compute, ComputeStatus, SamplerHandle
from twinkle_jupyter.runtime.sample_loop import SampleLoop
from twinkle_jupyter.sampler.interface import SampleDelta, SampleRequest, SamplingSettings
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    OptimStep,
    SaveCheckpoint,
)

A = AdapterId("a")
SPEC = AdapterSpec(rank=4, alpha=8.0)
REQUEST = SampleRequest((1, 40, 41, 2), SamplingSettings(max_tokens=8), frozenset())


async def _read(sampler: SamplerHandle, request: SampleRequest) -> list[SampleDelta]:
    return [delta async for delta in sampler.sample(request)]


def _tokens(deltas: list[SampleDelta]) -> tuple[int, ...]:
    return tuple(token for delta in deltas for token in delta.tokens)


async def test_newest_weights_answer_while_training_goes_on(
    compute: Compute, tmp_path: Path
) -> None:
    taught = (50, 51, 52, 53, 54)
    row = Example.from_sequence(REQUEST.prompt + taught, (0.0,) * 4 + (1.0,) * 5)
    await compute.trainer.create_adapter(A, SPEC)
    for number in range(40):
        await asyncio.gather(
            compute.trainer.forward_backward(ForwardBackward(A, 2 * number + 1, (row,))),
            compute.trainer.optim_step(OptimStep(A, 2 * number + 2, AdamWSettings(2e-2))),
        )
    await compute.sampler.put_snapshot(await compute.trainer.snapshot(A))
    asked = replace(REQUEST, adapter_id=A, settings=SamplingSettings(max_tokens=5))
    answer, base = await asyncio.gather(
        _read(compute.sampler, asked), _read(compute.sampler, replace(asked, adapter_id=None))
    )
    assert _tokens(answer) == taught
    assert ({delta.version for delta in answer}, {delta.version for delta in base}) == (
        {40},
        {None},
    )
    assert _tokens(base) != taught

    # The same from disk, once the sampler has forgotten it.
    await compute.trainer.save_checkpoint(SaveCheckpoint(A, 81, str(tmp_path / "ckpt")))
    await compute.sampler.remove_adapter(A)
    with pytest.raises(NotFoundError, match="Adapter 'a' is not on this sampler"):
        await _read(compute.sampler, asked)
    stored = await _read(compute.sampler, replace(asked, checkpoint=str(tmp_path / "ckpt")))
    assert _tokens(stored) == taught


async def test_answers_take_turns_token_by_token(compute: Compute) -> None:
    order: list[str] = []

    async def read(name: str) -> None:
        async for _ in compute.sampler.sample(REQUEST):
            order.append(name)  # noqa: PERF401 - at each token, not at the end

    await asyncio.gather(read("x"), read("y"))
    assert order == ["x", "y"] * 8


async def test_closing_the_iterator_ends_the_answer(compute: Compute) -> None:
    request = replace(REQUEST, settings=SamplingSettings(max_tokens=200))
    stream = compute.sampler.sample(request)
    first = await anext(stream)
    assert first.finish_reason is None
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)

    reading = asyncio.create_task(_read(compute.sampler, request))
    other = compute.sampler.sample(REQUEST)
    await anext(other)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await other.aclose()
    assert len(await _read(compute.sampler, REQUEST)) == 8


async def test_a_slow_reader_is_held_back_and_holds_up_nobody(compute: Compute) -> None:
    long = replace(REQUEST, settings=SamplingSettings(max_tokens=200))
    slow = compute.sampler.sample(long)
    read = [await anext(slow)]
    whole = await _read(compute.sampler, long)
    assert len(whole) == 200
    assert isinstance(compute.sampler, SampleLoop)
    [unread] = compute.sampler._streams.values()
    assert unread.is_full
    assert unread._unread.qsize() < 40
    read += [delta async for delta in slow]
    assert _tokens(read) == _tokens(whole)


async def test_an_answer_can_be_ended_by_its_key(compute: Compute) -> None:
    assert isinstance(compute.sampler, SampleLoop)
    long = replace(REQUEST, settings=SamplingSettings(max_tokens=200))
    stream = compute.sampler.sample(long, "mine")
    await anext(stream)
    compute.sampler.cancel("another's")
    compute.sampler.cancel("mine")
    assert len([delta async for delta in stream]) < 40
    # What it held is somebody else's at the next pass.
    assert len(await _read(compute.sampler, REQUEST)) == 8
    sampler = await compute.sampler._thread.get_engine()
    assert sampler.decoder.num_rows == 0


async def test_a_pass_that_breaks_off_ends_its_answers_and_nothing_else(
    compute: Compute, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(compute.sampler, SampleLoop)
    sampler = await compute.sampler._thread.get_engine()
    expected = await _read(compute.sampler, REQUEST)

    def fail(*_: object) -> None:
        raise ValueError("a matmul of our own making")

    with monkeypatch.context() as patched:
        patched.setattr(sampler.decoder, "read", fail)
        with pytest.raises(ServiceUnavailableError, match="could not go on with this answer"):
            await _read(compute.sampler, REQUEST)
    # What failed is not tried again, and takes nobody along who comes later.
    assert await _read(compute.sampler, REQUEST) == expected
    assert caplog.text.count("A pass of the sampler failed") == 1
    assert "a matmul of our own making" in caplog.text
    assert sampler.decoder.num_rows == 0


async def test_more_answers_than_the_limit_are_refused(
    compute: Compute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_loop, "_MAX_OPEN_ANSWERS", 1)
    stream = compute.sampler.sample(REQUEST)
    await anext(stream)
    with pytest.raises(QuotaExceededError, match="1 answers are being written"):
        await _read(compute.sampler, REQUEST)
    await stream.aclose()
    assert len(await _read(compute.sampler, REQUEST)) == 8


async def test_closing_the_sampler_ends_open_answers(tiny_model: Path) -> None:
    sampler = SampleLoop(tiny_model, base_model_name="tiny", num_threads=1)
    await sampler.start()
    status = await sampler.status()
    assert status == ComputeStatus("tiny", True, 0, status.memory_bytes)
    stream = sampler.sample(REQUEST)
    await anext(stream)
    await sampler.close()
    with pytest.raises(ServiceUnavailableError, match="The sampler is closed"):
        await anext(stream)
