"""Text as it comes is text as a whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.sampler.detokenizer import Detokenizer, load_tokenizer


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_pieces_are_whole_characters_and_add_up(tiny_model: Path, text: str) -> None:
    tokenizer = load_tokenizer(tiny_model)
    detokenizer = Detokenizer(tokenizer)
    pieces = [detokenizer.append(token) for token in tokenizer.encode(text).ids]
    assert "".join(pieces) == text
    assert "�" in text or not any("�" in piece for piece in pieces)


def test_special_tokens_are_not_text(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    detokenizer = Detokenizer(tokenizer)
    ids = tokenizer.encode("<|im_start|>Hi<|im_end|>").ids
    assert "".join(map(detokenizer.append, ids)) == "Hi"


def test_a_tokenizer_that_cannot_be_read_is_one_sentence(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "broken"))
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(InvalidDataError, match="Base model 'broken' has an unreadable tokenizer"):
        load_tokenizer(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(NotFoundError, match=r"Folder 'broken' has no tokenizer.json"):
        load_tokenizer(folder)
