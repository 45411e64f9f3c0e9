"""What is pushed is on the hub as it was; what goes wrong is a sentence without the token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from tests.client.hub_stand_in import TOKEN, HubStandIn
from twinkle_jupyter.client.hub_push import check_repository, push_folder, read_hub_token
from twinkle_jupyter.errors import InvalidConfigError, NotAllowedError, ServiceUnavailableError

# Of the library, where it does not use Xet.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    # The stand-in has no Xet storage.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    with HubStandIn() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 64)
    return folder


def push(folder: Path, repository: str, token: str = TOKEN) -> str:
    return push_folder(folder, repository, token, is_private=True, note="pirate, step 40")


def test_a_folder_is_pushed_twice_into_one_repository(hub: HubStandIn, folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert push(folder, "anna/pirate") == f"{hub.url}/anna/pirate"
    assert hub.repositories == {"anna/pirate": files}
    (folder / "adapter_config.json").write_text('{"r": 8}')
    push(folder, "anna/pirate")
    assert hub.repositories["anna/pirate"]["adapter_config.json"] == b'{"r": 8}'
    assert hub.notes == ["pirate, step 40"] * 2


@pytest.mark.parametrize(
    ("repository", "token"), [("ben/pirate", TOKEN), ("anna/pirate", "hf_wrongtoken")]
)
def test_what_the_hub_refuses_is_said_without_the_token(
    hub: HubStandIn,
    folder: Path,
    repository: str,
    token: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(
        NotAllowedError, match=f"^The hub does not let this token write to `{repository}`"
    ) as caught:
        push(folder, repository, token)
    assert hub.repositories == {}
    printed = capsys.readouterr()
    said = f"{caught.value} {caught.value.__cause__} {caplog.text} {printed.out} {printed.err}"
    assert token not in said


def test_a_network_that_is_away_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailableError, match=r"^The hub cannot be reached, so nothing"):
        push(folder, "anna/pirate")


def test_a_name_that_is_none_is_a_sentence() -> None:
    with pytest.raises(InvalidConfigError, match=r"^`a/b/c` is not the name of a hub repository"):
        check_repository("a/b/c")


def test_the_token_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", " hf_environment\n")
    (tmp_path / "token").write_text("hf_file\n")
    assert read_hub_token(None) == "hf_environment"
    assert read_hub_token(str(tmp_path / "token")) == "hf_file"
    with pytest.raises(InvalidConfigError, match="--token-file nowhere` cannot be read"):
        read_hub_token("nowhere")
    (tmp_path / "token").write_text("my secret words")
    with pytest.raises(NotAllowedError, match=r"^What stands for the hub's token cannot be one\."):
        read_hub_token(str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(NotAllowedError, match=r"^There is no token for the hub\."):
        read_hub_token(None)
