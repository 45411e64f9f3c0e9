"""What a status adds up may change meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch

from tests.runtime.lives import SPECS, A, C
from twinkle_jupyter.engine.adapter_stack import AdapterStack
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.ids import AdapterVersion
from twinkle_jupyter.runtime.user_loads import ServedTokens, trainer_status
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter, SnapshotCache


def test_a_stack_that_comes_meanwhile_is_no_mistake(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny")
    engine.create_adapter(A, SPECS[A])
    measure = cast("property", AdapterStack.size_bytes).fget
    assert measure is not None

    def measure_slowly(stack: AdapterStack) -> int:
        engine.create_adapter(C, SPECS[C])  # of another rank: the engine's thread has its turn
        return cast("int", measure(stack))

    monkeypatch.setattr(AdapterStack, "size_bytes", property(measure_slowly))
    assert trainer_status("tiny", engine, [], ServedTokens()).memory_bytes > 0


def test_a_version_that_comes_meanwhile_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = SnapshotCache()
    cache.put(A, HeldAdapter(AdapterVersion(1), SPECS[A], torch.zeros(2)))

    def measure_slowly(held: HeldAdapter) -> int:
        if held.version == 1:  # the sampler's thread has its turn
            cache.put(A, HeldAdapter(AdapterVersion(2), SPECS[A], torch.zeros(2)))
        return held.weights.nbytes

    monkeypatch.setattr(HeldAdapter, "size_bytes", property(measure_slowly))
    assert cache.size_bytes > 0
