"""A tiny engine, and examples short enough to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.residency import AdapterLimits
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.example import Example

OpenEngine = Callable[[], StepEngine]


@pytest.fixture
def open_engine(tiny_model: Path) -> OpenEngine:
    """Loads the tiny model anew at each call."""
    limits = AdapterLimits(max_active=3, max_adapters=3)
    return lambda: StepEngine(load_base_model(tiny_model), base_model_name="tiny", limits=limits)


@pytest.fixture
def engine(open_engine: OpenEngine) -> StepEngine:
    return open_engine()


def example(*ids: int, weight: float = 1.0) -> Example:
    """A row whose every token but the first is learned."""
    return Example.from_sequence(ids, [weight] * len(ids))
