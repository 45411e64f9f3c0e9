"""What every test has: the tiny model, a private home, and no way to the user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from xdist.remote import Producer

from tests.two_at_a_time import TwoAtATime, needs_machine

# Before torch is loaded anywhere: its threads shall sleep, not spin, while others compute.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are the workers' already
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what runs longest, where there are several workers."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: not needs_machine(item.nodeid.partition("::")[0]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoAtATime:
    """Deal the tests out as `two_at_a_time` says."""
    return TwoAtATime(config, log)


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
