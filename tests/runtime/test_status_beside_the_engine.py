"""What a trainer says of itself is read on the loop's thread while the engine's changes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from tests.runtime.lives import SPECS, A, B, C
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.user_loads import ServedTokens, trainer_status


@pytest.fixture
def engine(tiny_model: Path) -> StepEngine:
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny")
    engine.create_adapter(A, SPECS[A])
    return engine


class _Meanwhile:
    """Stands in for a tensor; when its size is asked for, the engine's thread has its turn."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    @property
    def nbytes(self) -> int:
        self._act()
        return 8


def _number_of_adapters(engine: StepEngine) -> int:
    return trainer_status("tiny", engine, [], ServedTokens()).num_adapters


@pytest.mark.parametrize("comes", [True, False])
def test_a_part_that_begins_or_ends_meanwhile_is_no_mistake(
    engine: StepEngine, *, comes: bool
) -> None:
    parts = engine.partial_ops

    def act() -> None:
        if comes:
            parts.hold({C: torch.zeros(2)})
        else:
            parts.forget([B])

    # The first that is looked at has others behind it.
    parts.hold({A: cast("Tensor", _Meanwhile(act)), B: torch.zeros(2)})
    assert _number_of_adapters(engine) == 1


def test_who_is_in_slots_is_told_as_it_was(engine: StepEngine) -> None:
    active, places = engine.adapters.active, engine.adapters.places()
    engine.create_adapter(AdapterId("later"), SPECS[B])
    assert (list(active), places) == ([A], {A: "active"})
