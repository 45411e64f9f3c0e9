"""What every test has: the tiny model, a private home, and no way to the user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before torch is loaded anywhere: its threads shall sleep, not spin, while others compute.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are the workers' already
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n`: what has a browser or the real model goes first, one after another.

    The rest runs beside it, file by file.
    """
    first: list[pytest.Item] = []
    rest: list[pytest.Item] = []
    for item in items:
        is_real = "journeys" in item.path.parts and item.get_closest_marker("model")
        needs_machine = is_real or item.get_closest_marker("browser")
        group = "machine" if needs_machine else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
        (first if needs_machine else rest).append(item)
    items[:] = first + rest


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real two-layer Llama with a chat tokenizer."""
    from tests.tiny_model import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs, connection file and settings of the test lie in its own folder."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("TWINKLE_HOME", str(home / "twinkle"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
    for name in ("TWINKLE_URL", "TWINKLE_API_KEY", "TWINKLE_HUB_SERVICE_URL"):
        monkeypatch.delenv(name, raising=False)
    return home
