"""A merged model as one GGUF file, as llama.cpp and what is built on it read it.

Names, types and quantisation are the `gguf` library's. Tensors are streamed one at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from gguf import (
    GGML_QUANT_SIZES,
    MODEL_ARCH,
    MODEL_ARCH_NAMES,
    GGMLQuantizationType,
    GGUFWriter,
    LlamaFileType,
    get_tensor_name_map,
    quantize,
)
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoConfig, PretrainedConfig

from twinkle_jupyter.engine.gguf_tokenizer import add_tokenizer
from twinkle_jupyter.engine.merged_weights import MergedWeights, WeightEntry
from twinkle_jupyter.errors import InvalidDataError

WeightType: TypeAlias = Literal["F32", "F16", "Q8_0"]
#: A tensor as the file has it.
Numbers: TypeAlias = "NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint8]"

#: By `model_type`.
_ARCHITECTURES = {
    "llama": MODEL_ARCH.LLAMA,
    "qwen2": MODEL_ARCH.QWEN2,
    "qwen3": MODEL_ARCH.QWEN3,
}
_FILE_TYPES: dict[WeightType, LlamaFileType] = {
    "F32": LlamaFileType.ALL_F32,
    "F16": LlamaFileType.MOSTLY_F16,
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
}
_INSTEAD = "Export with `--as merged`, and convert that with llama.cpp's own program."


@dataclass(frozen=True, slots=True)
class _Row:
    """One tensor of the file."""

    entry: WeightEntry
    name: str
    kind: GGMLQuantizationType
    #: Heads whose rows GGUF has in another order; 0 where it has them as they are.
    heads: int


def write_gguf(
    weights: MergedWeights,
    base_folder: Path,
    file: Path,
    weight_type: WeightType,
    on_progress: Callable[[float], None],
) -> None:
    """Write everything that llama.cpp needs into `file`.

    Args:
        weights: Read once, in order.
        base_folder: Its config, tokenizer and template.
        file: Ends with `.gguf`; must not exist.
        weight_type: Of the matrices; norms and biases are F32 always.
        on_progress: Called with the share that is done, 0 to 1.

    Raises:
        InvalidDataError: The architecture, its positions or its tokenizer have no place in GGUF,
            or a number is too large for F16.
    """
    config = AutoConfig.from_pretrained(base_folder, local_files_only=True, trust_remote_code=False)
    architecture = _architecture(config)
    rows = _plan(weights, config, architecture, weight_type)
    writer = GGUFWriter(file, MODEL_ARCH_NAMES[architecture])
    try:
        _add_fields(writer, config, file.stem, base_folder.name)
        writer.add_file_type(_FILE_TYPES[weight_type])
        add_tokenizer(writer, base_folder, config.vocab_size)
        for row in rows:
            shape, num_bytes = _stored_size(row)
            # The type is of no matter where the kind is given.
            writer.add_tensor_info(row.name, shape, np.dtype(np.float32), num_bytes, row.kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        done = 0
        for row in rows:
            writer.write_tensor_data(_encode(weights.read(row.entry.name), row))
            done += row.entry.size_bytes
            on_progress(done / weights.size_bytes)
    finally:
        writer.close()


def _architecture(config: PretrainedConfig) -> MODEL_ARCH:
    known = _ARCHITECTURES.get(config.model_type)
    if known is None:
        raise InvalidDataError(
            f"Base models of type {config.model_type!r} cannot be written as GGUF:"
            f" {', '.join(_ARCHITECTURES)} can.",
            _INSTEAD,
        )
    positions = dict(config.rope_parameters or {}).get("rope_type", "default")
    if positions != "default":
        raise InvalidDataError(
            f"Rotary positions of type {positions!r} cannot be written as GGUF.", _INSTEAD
        )
    if getattr(config, "use_sliding_window", False):
        raise InvalidDataError("Sliding-window attention cannot be written as GGUF.", _INSTEAD)
    return known


def _add_fields(writer: GGUFWriter, config: PretrainedConfig, name: str, base_model: str) -> None:
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_name(name)
    writer.add_basename(base_model)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _plan(
    weights: MergedWeights,
    config: PretrainedConfig,
    architecture: MODEL_ARCH,
    weight_type: WeightType,
) -> list[_Row]:
    names = get_tensor_name_map(architecture, config.num_hidden_layers)
    rows = []
    for entry in weights.entries:
        name = names.get_name(entry.name, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise InvalidDataError(
                f"The base model's `{entry.name}` has no place in a GGUF file.", _INSTEAD
            )
        if name == "output.weight" and config.tie_word_embeddings:
            continue  # a copy of the embedding: a reader takes that where there is no head
        rows.append(_Row(entry, name, _kind(entry, weight_type), _heads(name, config)))
    return rows


def _kind(entry: WeightEntry, weight_type: WeightType) -> GGMLQuantizationType:
    if len(entry.shape) < 2 or weight_type == "F32":
        return GGMLQuantizationType.F32
    block = GGML_QUANT_SIZES[GGMLQuantizationType.Q8_0][0]
    if weight_type == "Q8_0" and entry.shape[-1] % block == 0:
        return GGMLQuantizationType.Q8_0
    return GGMLQuantizationType.F16


def _heads(name: str, config: PretrainedConfig) -> int:
    """Return how many heads' rows are to be put in pairs, as GGUF has Llama's."""
    if config.model_type != "llama":
        return 0
    part = name.split(".")[-2]
    by_part = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    return int(by_part.get(part, 0))


def _stored_size(row: _Row) -> tuple[tuple[int, ...], int]:
    """Return the tensor's shape in numbers, and its bytes in the file."""
    block, block_bytes = GGML_QUANT_SIZES[row.kind]
    return row.entry.shape, torch.Size(row.entry.shape).numel() // block * block_bytes


def _encode(weight: Tensor, row: _Row) -> Numbers:
    if row.heads:
        # Rotary embeddings pair up the two halves of a head; GGUF has the pairs side by side.
        halves = weight.reshape(row.heads, 2, weight.shape[0] // row.heads // 2, -1)
        weight = halves.swapaxes(1, 2).reshape(weight.shape)
    numbers = weight.to(torch.float32).contiguous().numpy()
    if row.kind == GGMLQuantizationType.F32:
        return numbers
    if np.abs(numbers).max(initial=0) > np.finfo(np.float16).max:
        raise InvalidDataError(
            f"`{row.entry.name}` has numbers that are too large for F16.", "Take `--type F32`."
        )
    if row.kind == GGMLQuantizationType.F16:
        return numbers.astype(np.float16)
    encoded: Numbers = quantize(numbers, row.kind)
    return encoded
