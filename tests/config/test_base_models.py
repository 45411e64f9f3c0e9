"""A name tells where a base model comes from; a folder tells whether it is complete."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from twinkle_jupyter.config.base_models import (
    BUNDLED_MODELS,
    DEFAULT_BASE_MODEL,
    HubModel,
    LocalModel,
    model_cache_folder,
    resolve_base_model,
)
from twinkle_jupyter.config.model_folder import (
    find_model_problem,
    read_template_text,
)
from twinkle_jupyter.errors import NotFoundError


def test_a_name_is_a_bundled_model_then_a_folder_then_a_hub_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEFAULT_BASE_MODEL).mkdir()
    (tmp_path / "org" / "here").mkdir(parents=True)
    assert resolve_base_model(DEFAULT_BASE_MODEL) is BUNDLED_MODELS[DEFAULT_BASE_MODEL]
    assert resolve_base_model("org/here") == LocalModel(tmp_path / "org" / "here")
    assert resolve_base_model("org/elsewhere") == HubModel("org/elsewhere")


@pytest.mark.parametrize(
    "name",
    [
        *("./org/x", "/nowhere/model", "nowhere", "a/b/c", ""),
        *("~nobody-of-this-name/model", "a\x00b", "x" * 5000, "../" * 2000),
    ],
    ids=lambda name: name[:20],
)
def test_a_name_that_can_be_none_of_them_is_not_found(name: str) -> None:
    told = re.escape(f"Base model `{name}` is not there")
    with pytest.raises(NotFoundError, match=f"^{told}") as caught:
        resolve_base_model(name)
    assert "`smollm2-135m-instruct`, a folder on this machine" in caught.value.hint


def test_a_name_that_is_nearly_a_bundled_one_is_answered_with_it() -> None:
    with pytest.raises(NotFoundError, match=r"`smollm2-135m` is not there") as caught:
        resolve_base_model("smollm2-135m")
    assert caught.value.hint == "Did you mean `smollm2-135m-instruct`?"


def test_the_cache_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_CACHE", str(tmp_path))
    assert model_cache_folder() == tmp_path / "models"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "harm", "problem"),
    [
        ("config.json", Path.unlink, "has no config.json, so it is not a model folder."),
        ("config.json", cut, "config.json` is not readable JSON."),
        ("tokenizer.json", Path.unlink, "has no tokenizer.json."),
        ("tokenizer.json", cut, "tokenizer.json` is not a readable tokenizer."),
        ("chat_template.jinja", Path.unlink, "has no chat template, so it is not a model that"),
        ("model.safetensors", Path.unlink, "has no weights (*.safetensors)."),
        ("model.safetensors", cut, "it was not written completely."),
        ("model.safetensors", empty, "model.safetensors` is not a readable safetensors file."),
    ],
)
def test_a_harmed_model_folder_says_what_is_wrong(
    tiny_model: Path, tmp_path: Path, name: str, harm: Callable[[Path], None], problem: str
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    assert find_model_problem(folder) == ""
    harm(folder / name)
    assert problem in find_model_problem(folder)


def test_a_part_that_the_index_names_must_be_there(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-2.safetensors` is not there, though" in find_model_problem(folder)


def test_a_template_in_the_tokenizers_config_counts(tmp_path: Path) -> None:
    assert read_template_text(tmp_path) is None
    config = tmp_path / "tokenizer_config.json"
    config.write_text('{"chat_template": [{"name": "default", "template": "x"}]}')
    assert read_template_text(tmp_path) == "x"
    config.write_text('{"chat_template": "y"}')
    assert read_template_text(tmp_path) == "y"
