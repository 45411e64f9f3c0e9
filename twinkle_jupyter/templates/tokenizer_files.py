"""What a base model's folder says of its tokens: the tokenizer, special tokens, ends of answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tokenizers import Tokenizer

from twinkle_jupyter.config.model_folder import read_json_object
from twinkle_jupyter.errors import InvalidConfigError

_SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token")


def read_tokenizer(folder: Path) -> Tokenizer:
    """Return the folder's tokenizer, which neither cuts nor pads.

    Raises:
        InvalidConfigError: It is missing or unreadable.
    """
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The Rust side raises plain Exception, for a missing file as for a cut one.
    except Exception as error:
        raise InvalidConfigError(
            f"The tokenizer of base model `{folder}` cannot be read: {error}."
        ) from error
    # A tokenizer file may ask to cut or pad; max_length is the run's to choose.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def read_special_tokens(folder: Path) -> dict[str, str]:
    """Return `bos_token`, `eos_token` and the like, those that there are."""
    tokens: dict[str, str] = {}
    for file in ("special_tokens_map.json", "tokenizer_config.json"):
        values = read_json_object(folder / file)
        for name in _SPECIAL_NAMES:
            value = values.get(name)
            text = value.get("content") if isinstance(value, dict) else value
            if isinstance(text, str):
                tokens[name] = text
    return tokens


def read_end_ids(folder: Path, tokenizer: Tokenizer, special: Mapping[str, str]) -> frozenset[int]:
    """Return the ids of tokens that end an answer, as far as files name them."""
    ids: set[int] = set()
    for file in ("generation_config.json", "config.json"):
        value = read_json_object(folder / file).get("eos_token_id")
        ids.update(i for i in (value if isinstance(value, list) else [value]) if type(i) is int)
    eos = tokenizer.token_to_id(special["eos_token"]) if "eos_token" in special else None
    return frozenset(ids if eos is None else ids | {eos})


def read_vocabulary_size(folder: Path) -> int | None:
    """Return how many tokens the model has weights for; None where its config does not say."""
    config = read_json_object(folder / "config.json")
    inner = config.get("text_config")
    for values in (config, inner if isinstance(inner, dict) else {}):
        if type(size := values.get("vocab_size")) is int:
            return size
    return None
