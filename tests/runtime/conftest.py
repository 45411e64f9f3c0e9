"""Trainer and sampler in this process over the tiny model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.runtime.lives import Home
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.runtime.local import open_local_compute
from twinkle_jupyter.scheduling import company


@pytest.fixture
async def compute(tiny_model: Path) -> AsyncIterator[Compute]:
    async with open_local_compute(tiny_model, base_model_name="tiny") as opened:
        yield opened


@pytest.fixture
def no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan begins as its op comes: who is in which must not depend on who is how fast."""
    for name in ("_SHORTEST_S", "_LONGEST_S"):
        monkeypatch.setattr(company, name, 0.0)


@pytest.fixture
def home(tiny_model: Path, tmp_path: Path) -> Home:
    return Home(tiny_model, tmp_path)
