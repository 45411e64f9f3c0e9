"""Answers under way side by side, each with its own adapter version, cache and luck."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.sampler.conftest import SPEC, make_snapshot, run, run_together, tokens_of
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.interface import SampleDelta, SampleRequest, SamplingSettings
from twinkle_jupyter.sampler.torch_sampler import TorchSampler

A, B = AdapterId("a"), AdapterId("b")
REQUEST = SampleRequest((1, 40, 41, 42, 2, 1), SamplingSettings(max_tokens=12), frozenset())


def test_each_token_is_that_of_the_whole_text_read_anew(sampler: TorchSampler) -> None:
    sampler.put_snapshot(make_snapshot(sampler, A, version=1, seed=1))
    request = replace(REQUEST, adapter_id=A)
    deltas = run(sampler, request)
    written: tuple[int, ...] = ()
    one_token = replace(request.settings, max_tokens=1)
    for delta in deltas:
        anew = replace(request, prompt=request.prompt + written, settings=one_token)
        [fresh] = run(sampler, anew)
        assert fresh.tokens == delta.tokens
        assert fresh.logprobs == pytest.approx(delta.logprobs, abs=1e-4)
        written += delta.tokens
    assert len(written) == 12
    assert [delta.finish_reason for delta in deltas] == [None] * 11 + ["length"]


def test_answers_under_way_together_do_not_touch_each_other(sampler: TorchSampler) -> None:
    for adapter_id, seed in ((A, 1), (B, 2)):
        sampler.put_snapshot(make_snapshot(sampler, adapter_id, version=seed, seed=seed))
    drawn = SamplingSettings(max_tokens=12, temperature=1.5, seed=3)
    requests = [
        REQUEST,
        replace(REQUEST, adapter_id=A),
        replace(REQUEST, adapter_id=B, prompt=(1, 60, 61)),
        replace(REQUEST, adapter_id=A, settings=drawn),
    ]
    alone = [tokens_of(run(sampler, request)) for request in requests]
    together = [tokens_of(deltas) for deltas in run_together(sampler, *requests)]
    assert together == alone
    assert len(set(map(tuple, together))) == 4
    assert (
        tokens_of(run(sampler, replace(requests[3], settings=replace(drawn, seed=4)))) != alone[3]
    )


def test_a_stop_token_ends_the_answer_and_is_not_text(sampler: TorchSampler) -> None:
    free = run(sampler, REQUEST)
    stop = free[5].tokens[0]
    first = next(index for index, delta in enumerate(free) if delta.tokens == (stop,))
    ended = run(sampler, replace(REQUEST, stop_tokens=frozenset({stop})))
    assert tokens_of(ended) == tokens_of(free[: first + 1])
    assert (ended[-1].finish_reason, ended[-1].text) == ("stop", "")


def test_an_answer_ends_where_the_base_model_stops_reading(sampler: TorchSampler) -> None:
    request = SampleRequest((5,) * 254, SamplingSettings(max_tokens=50), frozenset())
    deltas = run(sampler, request)
    assert (len(deltas), deltas[-1].finish_reason) == (2, "length")
    with pytest.raises(InvalidDataError, match="The prompt has 256 tokens; the base model reads"):
        sampler.open_answer(1, replace(request, prompt=(5,) * 256))


def test_a_new_version_answers_next_and_one_under_way_keeps_its_own(sampler: TorchSampler) -> None:
    first, second = (make_snapshot(sampler, A, version=v, seed=v) for v in (1, 2))
    sampler.put_snapshot(first)
    request = replace(REQUEST, adapter_id=A)
    expected = tokens_of(run(sampler, request))
    sampler.open_answer(1, request)
    sampler.put_snapshot(second)
    told = [thing for _ in range(12) for _, thing in sampler.advance().told]
    deltas = [thing for thing in told if isinstance(thing, SampleDelta)]
    assert (tokens_of(deltas), {delta.version for delta in deltas}) == (expected, {1})
    assert {delta.version for delta in run(sampler, request)} == {2}
    pinned = replace(request, version=AdapterVersion(1))
    assert tokens_of(run(sampler, pinned)) == expected


def test_the_sampler_keeps_its_own_copy(sampler: TorchSampler) -> None:
    snapshot = make_snapshot(sampler, A, version=1, seed=1)
    # As it comes out of shared memory.
    snapshot.weights.setflags(write=False)
    sampler.put_snapshot(snapshot)
    request = replace(REQUEST, adapter_id=A)
    expected = tokens_of(run(sampler, request))
    snapshot.weights.setflags(write=True)
    snapshot.weights[:] = 0
    assert tokens_of(run(sampler, request)) == expected


def test_an_adapter_that_is_not_there_is_never_the_base_model(
    sampler: TorchSampler, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="Adapter 'a' is not on this sampler"):
        sampler.open_answer(1, replace(REQUEST, adapter_id=A))
    with pytest.raises(NotFoundError, match="There is no complete folder 'nowhere'"):
        sampler.open_answer(1, replace(REQUEST, adapter_id=A, checkpoint=str(tmp_path / "nowhere")))
    sampler.put_snapshot(make_snapshot(sampler, A, version=3, seed=1))
    with pytest.raises(NotFoundError, match=r"Version 9 of adapter 'a' .* It holds 3"):
        sampler.open_answer(1, replace(REQUEST, adapter_id=A, version=AdapterVersion(9)))


def test_an_adapter_comes_from_its_checkpoint_when_it_is_not_held(
    sampler: TorchSampler, tiny_model: Path, tmp_path: Path
) -> None:
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny")
    engine.create_adapter(A, SPEC)
    engine.write_checkpoint(tmp_path / "ckpt", engine.copy_adapter(A))
    request = replace(REQUEST, adapter_id=A, checkpoint=str(tmp_path / "ckpt"))
    with pytest.raises(NotFoundError, match="Checkpoint 'ckpt' of adapter 'a' is version 0, not 4"):
        sampler.open_answer(1, replace(request, version=AdapterVersion(4)))
    deltas = run(sampler, request)
    # Fresh weights add nothing: B is zero.
    assert tokens_of(deltas) == tokens_of(run(sampler, REQUEST))
    assert ({delta.version for delta in deltas}, len(sampler.snapshots)) == ({0}, 1)


def test_what_cannot_be_answered_is_refused_before_any_token(sampler: TorchSampler) -> None:
    with pytest.raises(InvalidDataError, match="The prompt has no tokens"):
        sampler.open_answer(1, replace(REQUEST, prompt=()))
    with pytest.raises(InvalidDataError, match="The prompt has token id 70000"):
        sampler.open_answer(1, replace(REQUEST, prompt=(1, 70_000)))
    with pytest.raises(InvalidConfigError, match="max_tokens=0"):
        sampler.open_answer(1, replace(REQUEST, settings=SamplingSettings(max_tokens=0)))
    short = replace(make_snapshot(sampler, A, 1, 1), weights=np.zeros(3, dtype=np.float32))
    with pytest.raises(InvalidDataError, match=r"A snapshot of rank 2 has \d+ numbers"):
        sampler.put_snapshot(short)
