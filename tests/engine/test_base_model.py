"""A base model loads whole and frozen, or says in one sentence why not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.tiny_model import build_tiny_model
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.injection import inject_adapters
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, NotFoundError


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be broken."""
    return Path(shutil.copytree(tiny_model, tmp_path / "broken"))


def test_a_base_model_is_frozen_and_knows_its_limits(tiny_model: Path) -> None:
    base = load_base_model(tiny_model)
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    assert not base.model.training
    vocabulary = base.model.config.vocab_size
    assert (base.num_input_tokens, base.num_output_tokens) == (vocabulary, vocabulary)
    assert (base.max_positions, base.dtype, base.device.type) == (256, torch.float32, "cpu")


def test_weights_stay_in_the_file_so_that_processes_share_them(folder: Path) -> None:
    load_base_model(folder)
    base = load_base_model(folder)
    start = next(base.model.parameters()).data_ptr()
    mapped = [
        line
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith("broken/model.safetensors")
        and int(line.split("-")[0], 16) <= start < int(line.split()[0].split("-")[1], 16)
    ]
    assert len(mapped) == 1


def test_the_fingerprint_is_of_the_weights(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    fingerprint = load_base_model(tiny_model).fingerprint
    assert load_base_model(folder).fingerprint == fingerprint
    other = build_tiny_model(tmp_path / "other", seed=1)
    assert load_base_model(other).fingerprint != fingerprint


def test_a_soft_cap_in_attention_is_not_left_out(tmp_path: Path) -> None:
    gemma2 = load_base_model(build_tiny_model(tmp_path / "gemma2", "gemma2"))
    assert gemma2.model.config._attn_implementation == "eager"


def test_a_missing_model_is_not_found(folder: Path) -> None:
    with pytest.raises(NotFoundError, match="Base model folder 'nowhere' does not exist"):
        load_base_model(folder / "nowhere")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(NotFoundError, match="'broken' holds no weights in safetensors"):
        load_base_model(folder)
    (folder / "config.json").unlink()
    with pytest.raises(NotFoundError, match=r"'broken' holds no model: it has no config.json"):
        load_base_model(folder)


def test_a_half_written_file_is_one_sentence(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(InvalidDataError, match=r"Base model 'broken' cannot be loaded: [^\n]+$"):
        load_base_model(folder)
    file.write_bytes(b"")
    with pytest.raises(InvalidDataError, match="Base model 'broken' cannot be loaded"):
        load_base_model(folder)


def test_an_unreadable_configuration_is_one_sentence(folder: Path) -> None:
    config = folder / "config.json"
    content = json.loads(config.read_text())
    config.write_text(config.read_text()[:-20])
    with pytest.raises(InvalidDataError, match="Base model 'broken' cannot be loaded"):
        load_base_model(folder)
    config.write_text(json.dumps({**content, "model_type": "perceptron"}))
    with pytest.raises(InvalidDataError, match="Base model 'broken' cannot be loaded"):
        load_base_model(folder)


def test_missing_weights_are_not_filled_with_random_ones(folder: Path) -> None:
    config = folder / "config.json"
    content = {**json.loads(config.read_text()), "num_hidden_layers": 3}
    content.pop("layer_types", None)
    config.write_text(json.dumps(content))
    with pytest.raises(InvalidDataError, match=r"incomplete: model.layers.2.* is not in its files"):
        load_base_model(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidDataError, match=r"incomplete: model-00002-of-00002.safetensors is"):
        load_base_model(folder)


def test_an_unknown_dtype_is_refused(tiny_model: Path) -> None:
    with pytest.raises(InvalidConfigError, match="dtype='int3' is not one of float32"):
        load_base_model(tiny_model, "int3")


def test_a_model_without_linear_layers_is_refused() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=16, n_positions=8)
    with pytest.raises(InvalidConfigError, match="type 'gpt2' have no linear layers"):
        inject_adapters(GPT2LMHeadModel(config))
