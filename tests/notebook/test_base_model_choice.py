"""A base model as it was written, settled before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebook.conftest import PlainShell
from tests.tiny_model import build_tiny_model
from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.errors import InvalidConfigError, NotFoundError
from twinkle_jupyter.notebook.base_model_choice import settle_base_model

HERE = Connection("http://127.0.0.1:1", "key", pid=1)
ELSEWHERE = Connection("http://example.test:1", "key")


def test_a_folder_is_made_absolute_for_the_service_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build_tiny_model(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    assert [settle_base_model(name, HERE) for name in ("model", "./model")] == [str(folder)] * 2
    assert settle_base_model("./model", None) == str(folder)
    assert settle_base_model("./model", ELSEWHERE) == "./model"


def test_a_name_of_nothing_is_refused_before_a_service_starts(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"Base model `\./nothing` is not there"):
        settle_base_model("./nothing", None)
    with pytest.raises(InvalidConfigError, match=r"has no config\.json"):
        settle_base_model(str(tmp_path), None)


def test_a_hub_out_of_reach_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(NotFoundError, match="`some/model` is not on this machine"):
        settle_base_model("some/model", None)


def test_a_run_takes_the_base_model_of_the_environment(
    shell: PlainShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINKLE_BASE_MODEL", str(tmp_path / "gone"))
    error = shell.run("%twinkle train self_cognition")
    assert str(error).startswith(f"Base model `{tmp_path / 'gone'}` is not there.")
