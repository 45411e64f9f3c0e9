"""The demo's own service."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from twinkle_jupyter.cli.demo import _service
from twinkle_jupyter.errors import ServiceUnavailableError


def test_a_service_that_does_not_start_says_why(
    private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = private_home / "twinkle.yaml"
    config.write_text("dtpye: float32\n", encoding="utf-8")
    monkeypatch.setenv("TWINKLE_CONFIG", str(config))

    with (
        pytest.raises(ServiceUnavailableError, match=r"with code 2: .*`dtpye`"),
        _service(Console(file=io.StringIO())),
    ):
        raise AssertionError
