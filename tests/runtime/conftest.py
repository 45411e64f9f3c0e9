"""Trainer and sampler in this process over the tiny model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.runtime.lives import Home
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.runtime.local import open_local_compute


@pytest.fixture
async def compute(tiny_model: Path) -> AsyncIterator[Compute]:
    async with open_local_compute(tiny_model, base_model_name="tiny") as opened:
        yield opened


@pytest.fixture
def home(tiny_model: Path, tmp_path: Path) -> Home:
    return Home(tiny_model, tmp_path)
