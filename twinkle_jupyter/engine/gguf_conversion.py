"""A GGUF file of the Llama kind into a folder that `transformers` loads as it is.

Weights are dequantised to fp32 one tensor at a time and streamed to the disk, so that the peak is
the largest tensor and progress is real. Torch is not needed.

Run as a program (`python -m … SOURCE FOLDER`), it prints `progress FRACTION` lines, and on failure
`error SENTENCE`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from gguf import GGUFReader, dequantize
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from twinkle_jupyter.errors import InvalidDataError

Scalar: TypeAlias = "str | int | float | bool"

_OUTER = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_INNER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
#: Shares of the whole time, measured: reading the file's tables, then the weights.
_SHARE_READ = 0.35
_CONTROL_TOKEN = 3


def convert(source: Path, folder: Path, on_progress: Callable[[float], None]) -> None:
    """Write `source` as config, tokenizer, template and fp32 safetensors into `folder`.

    Args:
        source: A GGUF file: Llama architecture, byte-level BPE of the SmolLM kind.
        folder: Made if it is not there; files in it are overwritten, durable on return.
        on_progress: Called with the share that is done, 0 to 1.

    Raises:
        InvalidDataError: The file is not GGUF, or of another architecture or tokenizer.
    """
    try:
        reader = GGUFReader(source)
    except (ValueError, OSError) as error:
        raise InvalidDataError(f"`{source.name}` is not a readable GGUF file: {error}.") from error
    _check_kind(reader, source.name)
    on_progress(_SHARE_READ)
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", _model_config(reader))
    _write_json(folder / "generation_config.json", _token_ids(reader))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(reader))
    _write_text(folder / "chat_template.jinja", str(_field(reader, "tokenizer.chat_template")))
    _write_text(folder / "tokenizer.json", _tokenizer(reader).to_str())
    _write_weights(
        folder / "model.safetensors",
        reader,
        lambda done: on_progress(_SHARE_READ + (1 - _SHARE_READ) * done),
    )


def _check_kind(reader: GGUFReader, name: str) -> None:
    for key, wanted in (
        ("general.architecture", "llama"),
        ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.ggml.pre", "smollm"),
    ):
        value = _field(reader, key)
        if value != wanted:
            raise InvalidDataError(
                f"`{name}` has `{key}` {value!r}; only {wanted!r} can be converted.",
                "Name a folder with safetensors instead.",
            )


def _field(reader: GGUFReader, key: str) -> Scalar:
    field = reader.get_field(key)
    if field is None:
        raise InvalidDataError(f"The GGUF file has no `{key}`.")
    value: Scalar = field.contents()
    return value


def _list_field(reader: GGUFReader, key: str) -> list[str]:
    field = reader.get_field(key)
    if field is None:
        raise InvalidDataError(f"The GGUF file has no `{key}`.")
    return list(field.contents())


def _token_ids(reader: GGUFReader) -> dict[str, Scalar]:
    return {
        "bos_token_id": _field(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": _field(reader, "tokenizer.ggml.eos_token_id"),
        "pad_token_id": _field(reader, "tokenizer.ggml.padding_token_id"),
    }


def _model_config(reader: GGUFReader) -> dict[str, Scalar | list[str]]:
    def value(key: str) -> Scalar:
        return _field(reader, f"llama.{key}")

    # Kept as fp32 in the file: its shortest decimal is the number that was meant, 1e-05.
    eps = float(str(np.float32(value("attention.layer_norm_rms_epsilon"))))
    return {
        "_name_or_path": str(_field(reader, "general.basename")),
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "dtype": "float32",
        "head_dim": value("rope.dimension_count"),
        "hidden_act": "silu",
        "hidden_size": value("embedding_length"),
        "initializer_range": 0.02,
        "intermediate_size": value("feed_forward_length"),
        "max_position_embeddings": value("context_length"),
        "mlp_bias": False,
        "num_attention_heads": value("attention.head_count"),
        "num_hidden_layers": value("block_count"),
        "num_key_value_heads": value("attention.head_count_kv"),
        "rms_norm_eps": eps,
        "rope_theta": value("rope.freq_base"),
        "tie_word_embeddings": all(tensor.name != "output.weight" for tensor in reader.tensors),
        "use_cache": True,
        "vocab_size": value("vocab_size"),
        **_token_ids(reader),
    }


def _tokenizer_config(reader: GGUFReader) -> dict[str, Scalar]:
    tokens = _list_field(reader, "tokenizer.ggml.tokens")

    def token(key: str) -> str:
        return tokens[int(_field(reader, f"tokenizer.ggml.{key}_token_id"))]

    return {
        # The class that takes tokenizer.json as it is; a named one would rebuild it its own way.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": token("bos"),
        "eos_token": token("eos"),
        "pad_token": token("padding"),
        "unk_token": token("unknown"),
        "clean_up_tokenization_spaces": False,
        "model_max_length": _field(reader, "llama.context_length"),
    }


def _tokenizer(reader: GGUFReader) -> Tokenizer:
    tokens = _list_field(reader, "tokenizer.ggml.tokens")
    merges = [pair.partition(" ")[::2] for pair in _list_field(reader, "tokenizer.ggml.merges")]
    kinds = _list_field(reader, "tokenizer.ggml.token_type")
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    # What llama.cpp calls "smollm": every digit alone, then GPT-2's byte-level splitting.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, kinds, strict=True)
            if int(kind) == _CONTROL_TOKEN
        ]
    )
    return tokenizer


def _write_weights(path: Path, reader: GGUFReader, on_progress: Callable[[float], None]) -> None:
    """Stream the tensors out as safetensors: a length, a JSON header, then the bytes in order."""
    num_heads = int(_field(reader, "llama.attention.head_count"))
    num_kv_heads = int(_field(reader, "llama.attention.head_count_kv"))
    header: dict[str, Mapping[str, str | list[int]]] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in reader.tensors:
        shape = [int(size) for size in reversed(tensor.shape)]
        start, end = end, end + 4 * int(np.prod(shape))
        entry: dict[str, str | list[int]] = {"dtype": "F32"}
        header[_name(tensor.name)] = entry | {"shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    written = 0
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for index in range(len(reader.tensors)):
            weights = _weights(reader, index, num_heads, num_kv_heads)
            file.write(weights)
            written += weights.nbytes
            on_progress(written / end)
        file.flush()
        os.fsync(file.fileno())


def _name(gguf_name: str) -> str:
    match = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.weight", gguf_name)
    table = _INNER if match and match[1] else _OUTER
    if match is None or match[2] not in table:
        raise InvalidDataError(f"The GGUF file has a tensor `{gguf_name}` that no Llama model has.")
    layer = f"model.layers.{match[1]}." if match[1] else ""
    return f"{layer}{table[match[2]]}.weight"


def _weights(reader: GGUFReader, index: int, num_heads: int, num_kv_heads: int) -> memoryview:
    tensor = reader.tensors[index]
    weights = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype="<f4")
    heads = {"attn_q": num_heads, "attn_k": num_kv_heads}.get(tensor.name.split(".")[-2])
    if heads is not None:
        # GGUF interleaves the two halves that rotary embeddings pair up: (O, I) by pairs to halves.
        pairs = weights.reshape(heads, weights.shape[0] // heads // 2, 2, weights.shape[1])
        weights = pairs.swapaxes(1, 2).reshape(weights.shape)
    return np.ascontiguousarray(weights).data


def _write_json(path: Path, value: object) -> None:
    _write_text(path, json.dumps(value, indent=2) + "\n")


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def main(arguments: list[str]) -> int:
    """Convert `arguments[0]` into the folder `arguments[1]`; return the exit status."""

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    try:
        convert(Path(arguments[0]), Path(arguments[1]), lambda done: say(f"progress {done:.3f}"))
    except InvalidDataError as error:
        say(f"error {error.message}")
        return 1
    except OSError as error:
        say(f"error The converted model could not be written: {error.strerror}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
