"""A runtime directory of its own for every test, and no address from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    monkeypatch.delenv("TWINKLE_URL", raising=False)
    monkeypatch.delenv("TWINKLE_API_KEY", raising=False)
    return folder
