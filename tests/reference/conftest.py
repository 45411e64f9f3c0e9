"""Tiny base models of three architectures, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny_model import build_tiny_model

KINDS = ("llama", "qwen", "gemma")


@pytest.fixture(scope="session", params=KINDS)
def base_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a real two-layer model."""
    return build_tiny_model(tmp_path_factory.mktemp(request.param), request.param)
