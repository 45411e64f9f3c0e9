"""A tokenizer.json as the fields of a GGUF file: byte-level BPE, which is what GGUF calls gpt2.

GGUF names how text is split before the merges by a word of llama.cpp's. Only ways of splitting
that are known here are written: with another word the file would load, and answer nonsense.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias, cast

from gguf import GGUFWriter, SpecialVocab, TokenType

from twinkle_jupyter.errors import InvalidDataError

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"

_CASES = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
#: How text is split, by llama.cpp's word for it.
_SPLITS: dict[tuple[str, ...], str] = {
    ("ByteLevel(regex)",): "gpt-2",
    ("Digits(individual)", "ByteLevel(regex)"): "smollm",
    (f"Split({_CASES}\\p{{N}}{_REST})", "ByteLevel"): "qwen2",
    (f"Split({_CASES}\\p{{N}}{{1,3}}{_REST})", "ByteLevel"): "llama-bpe",
}


def add_tokenizer(writer: GGUFWriter, folder: Path, num_tokens: int) -> None:
    """Add tokens, merges, special tokens and the chat template of a model's folder.

    Args:
        writer: Whose fields are not written yet.
        folder: Has tokenizer.json.
        num_tokens: Rows of the model's embedding; those without a token get a name that says so.

    Raises:
        InvalidDataError: The tokenizer is of a kind that cannot be written.
    """
    try:
        tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        split = _split_word(tokenizer)
        names, kinds = _tokens(tokenizer, num_tokens)
    except InvalidDataError:
        raise  # a ValueError too, which says already what is wrong
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InvalidDataError("The base model's tokenizer.json cannot be read.") from error
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list(names)
    writer.add_token_types(kinds)
    SpecialVocab(folder, load_merges=True, n_vocab=num_tokens).add_to_gguf(writer, quiet=True)


def _split_word(tokenizer: Mapping[str, Json]) -> str:
    model = cast("Mapping[str, Json]", tokenizer["model"])
    pre = cast("Mapping[str, Json] | None", tokenizer.get("pre_tokenizer")) or {}
    parts = cast("list[Mapping[str, Json]]", pre.get("pretokenizers") or [pre])
    word = _SPLITS.get(tuple(map(_describe, parts)))
    if model.get("type") != "BPE" or model.get("byte_fallback") or word is None:
        raise InvalidDataError(
            "The base model's tokenizer is of a kind that cannot be written as GGUF.",
            "Export with `--as merged`, and convert that with llama.cpp's own program.",
        )
    return word


def _describe(part: Mapping[str, Json]) -> str:
    kind = str(part.get("type"))
    if kind == "Split":
        pattern = cast("Mapping[str, Json]", part["pattern"]).get("Regex")
        is_plain = part.get("behavior") == "Isolated" and not part.get("invert")
        return f"Split({pattern})" if is_plain else "Split of another kind"
    if kind == "Digits":
        return "Digits(individual)" if part.get("individual_digits") else "Digits"
    if kind == "ByteLevel":
        if part.get("add_prefix_space"):
            return "ByteLevel with a space before"
        return "ByteLevel(regex)" if part.get("use_regex", True) else "ByteLevel"
    return kind


def _tokens(tokenizer: Mapping[str, Json], num_tokens: int) -> tuple[list[str], list[int]]:
    """Return each token's text and GGUF's number for its kind."""
    model = cast("Mapping[str, Json]", tokenizer["model"])
    names = [f"[PAD{index}]" for index in range(num_tokens)]
    kinds = [int(TokenType.UNUSED)] * num_tokens
    for text, index in cast("Mapping[str, int]", model["vocab"]).items():
        names[index], kinds[index] = text, int(TokenType.NORMAL)
    for token in cast("list[Mapping[str, Json]]", tokenizer.get("added_tokens") or []):
        index = cast("int", token["id"])
        kind = TokenType.CONTROL if token.get("special") else TokenType.USER_DEFINED
        names[index], kinds[index] = str(token["content"]), int(kind)
    return names, kinds
