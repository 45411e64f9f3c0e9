"""A GGUF file becomes the model that `transformers` makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.tiny_wheel import build_tiny_gguf
from twinkle_jupyter.config.model_folder import find_model_problem
from twinkle_jupyter.engine.gguf_conversion import convert, main
from twinkle_jupyter.errors import InvalidDataError


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_weights_are_bitwise_those_of_transformers_own_reader(source: Path, tmp_path: Path) -> None:
    shares: list[float] = []
    convert(source, tmp_path, shares.append)
    ours = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    theirs = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32
    )
    expected = theirs.state_dict()
    assert ours.state_dict().keys() == expected.keys()
    assert all(torch.equal(weights, expected[name]) for name, weights in ours.state_dict().items())
    assert ours.config.rope_parameters == theirs.config.rope_parameters
    assert find_model_problem(tmp_path) == ""
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_tokenizer_keeps_digits_apart_and_text_whole(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path, lambda _: None)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    text = "<|im_start|>user\nin 2024,  é 你好<|im_end|>\n"
    encoding = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(encoding.ids, skip_special_tokens=False) == text
    assert {"2", "0", "4"} <= set(encoding.tokens)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded(text, add_special_tokens=False).input_ids == encoding.ids
    assert (loaded.bos_token, loaded.eos_token) == ("<|im_start|>", "<|im_end|>")


def test_what_is_no_gguf_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.gguf").write_bytes(b"no model at all")
    with pytest.raises(InvalidDataError, match=r"^`x.gguf` is not a readable GGUF file: "):
        convert(tmp_path / "x.gguf", tmp_path / "out", lambda _: None)
    assert main([str(tmp_path / "x.gguf"), str(tmp_path / "out")]) == 1
    assert capsys.readouterr().out.startswith("error `x.gguf` is not a readable GGUF file: ")
    assert not (tmp_path / "out").exists()
