"""More adapters than slots: each learns as if it had one of its own, and nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import example
from twinkle_jupyter.engine.base_model import BaseModel, load_base_model
from twinkle_jupyter.engine.residency import AdapterLimits
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import NotFoundError, QuotaExceededError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    OptimStepResult,
)

NAMES = tuple(map(AdapterId, "abcdef"))
SPECS = {
    name: AdapterSpec(rank, 2.0 * rank, seed=rank)
    for rank, name in zip((1, 2, 3, 4, 2, 1), NAMES, strict=True)
}
#: Two slots, one or two more in host memory; the others are on disk.
SMALL = AdapterLimits(max_active=2, max_adapters=6, host_bytes=100_000)
Call: TypeAlias = tuple[str, tuple[AdapterId, ...]]


@dataclass
class Pair:
    """Two engines that are asked the same: one with two slots, one with room for all."""

    small: StepEngine
    roomy: StepEngine

    def both(self) -> tuple[StepEngine, StepEngine]:
        return self.small, self.roomy


@pytest.fixture(scope="module")
def bases(tiny_model: Path) -> tuple[StepEngine, StepEngine]:
    def open_engine(limits: AdapterLimits) -> StepEngine:
        base: BaseModel = load_base_model(tiny_model, "float64")
        return StepEngine(base, base_model_name="tiny", limits=limits)

    return open_engine(SMALL), open_engine(AdapterLimits())


@pytest.fixture
def pair(bases: tuple[StepEngine, StepEngine]) -> Pair:
    pair = Pair(*bases)
    _begin(pair)
    return pair


def _begin(pair: Pair) -> None:
    for engine in pair.both():
        for name in NAMES:
            engine.remove_adapter(name)
            engine.create_adapter(name, SPECS[name])


def _learn(name: AdapterId, *, forward_only: bool = False) -> ForwardBackward:
    start = 5 + NAMES.index(name)
    return ForwardBackward(
        name, 1, (example(start, 6, 7, 8), example(9, start)), forward_only=forward_only
    )


def _do(engine: StepEngine, call: Call) -> list[tuple[float, ...]]:
    """Return numbers of each adapter; an op that cannot be done gives its message's hash."""
    verb, names = call
    outcomes: Sequence[object]
    if verb in ("learn", "look"):
        outcomes = engine.forward_backward([_learn(n, forward_only=verb == "look") for n in names])
    elif verb == "step":
        outcomes = engine.optim_step([OptimStep(n, 1, AdamWSettings(1e-2)) for n in names])
    else:
        outcomes = [engine.copy_weights(name)[1] for name in names]
    return [_numbers(outcome) for outcome in outcomes]


def _numbers(outcome: object) -> tuple[float, ...]:
    match outcome:
        case ForwardBackwardResult(loss_sum, logprobs):
            return loss_sum, *(value for row in logprobs for value in row)
        case OptimStepResult(step, grad_norm):
            return float(step), grad_norm
        case TwinkleError():
            return (float(hash(str(outcome))),)
    return (float(str(outcome)),)


_calls = st.lists(
    st.tuples(
        st.sampled_from(("learn", "learn", "step", "step", "look", "snapshot")),
        st.lists(st.sampled_from(NAMES), unique=True, min_size=1).map(tuple),
    ),
    max_size=12,
)


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(calls=_calls)
def test_two_slots_learn_what_room_for_all_learns(pair: Pair, calls: list[Call]) -> None:
    _begin(pair)
    for call in calls:
        for small, roomy in zip(*(_do(engine, call) for engine in pair.both()), strict=True):
            assert small == pytest.approx(roomy, rel=1e-10, abs=1e-10)
    for name in NAMES:
        ours, theirs = (engine.adapters.peek(name) for engine in pair.both())
        assert ours.step == theirs.step
        assert (ours.gradient is None) == (theirs.gradient is None)
        for field in ("parameters", "exp_avg", "exp_avg_sq", "gradient"):
            one, other = getattr(ours, field), getattr(theirs, field)
            if one is not None:
                torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(calls=_calls)
def test_alone_in_each_pass_two_slots_are_bitwise_room_for_all(
    pair: Pair, calls: list[Call]
) -> None:
    _begin(pair)
    for verb, names in calls:
        for name in names:
            small, roomy = (_do(engine, (verb, (name,))) for engine in pair.both())
            assert small == roomy
    for name in NAMES:
        ours, theirs = (engine.adapters.peek(name) for engine in pair.both())
        assert (ours.step, ours.spec) == (theirs.step, theirs.spec)
        for field in ("parameters", "exp_avg", "exp_avg_sq", "gradient"):
            one, other = getattr(ours, field), getattr(theirs, field)
            assert (one is None) == (other is None)
            assert one is None or torch.equal(one, other)


def test_the_one_used_longest_ago_leaves_first_to_memory_then_to_disk(pair: Pair) -> None:
    adapters = pair.small.adapters
    for name in NAMES:
        adapters.get(name)
    assert [adapters.place(name) for name in NAMES] == [
        "stored",
        "stored",
        "stored",
        "resident",
        "active",
        "active",
    ]
    adapters.get(NAMES[4])
    adapters.get(NAMES[0])
    assert [adapters.place(name) for name in NAMES][4:] == ["active", "resident"]
    assert len(adapters) == 6


def test_a_gradient_waits_on_disk_for_its_step(pair: Pair) -> None:
    first = NAMES[0]
    _do(pair.small, ("learn", (first,)))
    before = pair.small.adapters.peek(first)
    gradient = None if before.gradient is None else before.gradient.clone()
    assert gradient is not None
    for name in NAMES[1:]:
        pair.small.adapters.get(name)
    assert pair.small.adapters.place(first) == "stored"
    after = pair.small.adapters.get(first)
    assert after.has_gradient
    assert torch.equal(after.gradient, gradient)
    [(step, norm)] = _do(pair.small, ("step", (first,)))
    assert step == 1
    assert norm == pytest.approx(float(torch.linalg.vector_norm(gradient)))


def test_a_checkpoint_of_a_stored_adapter_is_written(pair: Pair, tmp_path: Path) -> None:
    for name in NAMES:
        pair.small.adapters.get(name)
    pair.small.write_checkpoint(tmp_path / "a", pair.small.copy_adapter(NAMES[0]))
    pair.small.put_adapter(NAMES[1], pair.small.read_checkpoint(tmp_path / "a"))
    assert pair.small.copy_weights(NAMES[1])[0] == SPECS[NAMES[0]]
    assert len(pair.small.adapters) == 6


def test_one_more_adapter_than_there_may_be_is_refused(pair: Pair) -> None:
    with pytest.raises(QuotaExceededError, match=r"has 6 adapters.*TWINKLE_TRAINER__MAX_ADAPTERS"):
        pair.small.create_adapter(AdapterId("g"), SPECS[NAMES[0]])
    pair.small.remove_adapter(NAMES[0])
    pair.small.create_adapter(AdapterId("g"), SPECS[NAMES[0]])
    pair.small.remove_adapter(AdapterId("g"))
    with pytest.raises(NotFoundError, match="Adapter 'a' is not on this trainer"):
        pair.small.copy_weights(NAMES[0])


def test_what_disk_has_lost_is_not_found_and_fails_alone(tiny_model: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "left by a crash").touch()
    limits = AdapterLimits(max_active=2, host_bytes=0, scratch=scratch)
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny", limits=limits)
    for name in NAMES[:3]:
        engine.create_adapter(name, SPECS[name])
    [file] = scratch.iterdir()
    file.unlink()
    lost, kept = engine.forward_backward([_learn(NAMES[0]), _learn(NAMES[2])])
    assert isinstance(kept, ForwardBackwardResult)
    with pytest.raises(NotFoundError, match="Adapter 'a' could not be read back from disk"):
        raise lost if isinstance(lost, TwinkleError) else AssertionError(lost)
    assert NAMES[0] not in engine.adapters


def test_a_full_disk_keeps_adapters_in_memory(tiny_model: Path, tmp_path: Path) -> None:
    # A file where the folder should be: nothing can be written, as on a full disk.
    (tmp_path / "file").touch()
    limits = AdapterLimits(max_active=1, host_bytes=0, scratch=tmp_path / "file" / "scratch")
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny", limits=limits)
    for name in NAMES[:2]:
        engine.create_adapter(name, SPECS[name])
    assert engine.adapters.place(NAMES[0]) == "resident"
    assert engine.copy_weights(NAMES[0])[0] == SPECS[NAMES[0]]
