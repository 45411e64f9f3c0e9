"""Adapters out and in as they are typed, with the real service, engine and library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.client.hub_stand_in import TOKEN, HubStandIn
from tests.client.live_service import LiveService
from tests.notebook.conftest import PlainShell
from tests.service.in_thread_files import InThread
from twinkle_jupyter.client.sharing import download_weights
from twinkle_jupyter.errors import ConflictError, InvalidConfigError, NotAllowedError, NotFoundError
from twinkle_jupyter.service.auth import create_key

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Use 'content=<:DeprecationWarning"),
]


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # The stand-in has no Xet storage.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveService]:
    with LiveService(tmp_path / "service", adapter_files=InThread()) as service:
        yield service


@pytest.fixture
def external(tiny_model: Path, tmp_path: Path) -> Path:
    """An adapter that PEFT has saved."""
    config = LoraConfig(r=4, lora_alpha=12, target_modules=["q_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_model), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(parameter)
    model.save_pretrained(str(tmp_path / "external"))
    return tmp_path / "external"


def test_an_adapter_comes_in_goes_out_and_is_pushed(
    shell: PlainShell,
    live: LiveService,
    external: Path,
    working_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = json.loads((external / "adapter_config.json").read_text())["base_model_name_or_path"]
    weights = load_file(external / "adapter_model.safetensors")

    assert shell.run(f"%twinkle import external --adapter pirate --base-model {model}") is None
    assert "pirate is here, rank 4" in capsys.readouterr().out

    assert shell.run("%twinkle export pirate out --as peft") is None
    assert "pirate, step 0" in capsys.readouterr().out
    exported = load_file(working_folder / "out" / "adapter_model.safetensors")
    assert all(torch.equal(exported[name], weights[name]) for name in weights)
    assert isinstance(shell.run("%twinkle export pirate out"), ConflictError)

    assert isinstance(shell.run("%twinkle push pirate anna/pirate"), NotAllowedError)
    (working_folder / "token").write_text(TOKEN)
    capsys.readouterr()
    with HubStandIn() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        assert shell.run("%twinkle push pirate anna/pirate --token-file token") is None
        said = capsys.readouterr()
    assert f"pirate, step 0, is at {hub.url}/anna/pirate." in said.out
    assert sorted(hub.repositories["anna/pirate"]) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert TOKEN not in said.out + said.err
    for log in live.config.home.rglob("*.log"):
        assert TOKEN not in log.read_text()


def test_an_adapter_is_shared_listed_fetched_and_taken_back(
    shell: PlainShell,
    live: LiveService,
    external: Path,
    working_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = json.loads((external / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert shell.run(f"%twinkle import external --adapter pirate --base-model {model}") is None
    assert isinstance(shell.run("%twinkle share pirate"), InvalidConfigError)
    capsys.readouterr()
    assert shell.run("%twinkle share pirate --everyone") is None
    path = capsys.readouterr().out.split()[-1]
    assert shell.run("%twinkle adapters --shared") is None
    assert path in capsys.readouterr().out.replace("\n", "")

    ben = replace(live.connection, api_key=live.call(create_key(live.store, "ben")))
    assert download_weights(ben, path, working_folder / "fetched") == 0
    fetched = load_file(working_folder / "fetched" / "adapter_model.safetensors")
    assert fetched.keys() == load_file(external / "adapter_model.safetensors").keys()
    assert shell.run("%twinkle unshare pirate") is None
    with pytest.raises(NotFoundError):
        download_weights(ben, path, working_folder / "again")
    assert not (working_folder / "again").exists()
