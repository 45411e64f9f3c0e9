"""How much memory a training step takes, from numbers alone: no torch, no tensor is touched.

What is counted is what a trainer grows by from before its base model is loaded to the highest point
of a step, beside Python and its libraries. The constants are measured (docs/benchmarks.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from twinkle_jupyter.scheduling.request import AdapterSpec

_ITEM_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2}
#: Weights, gradient and AdamW's two moments.
_TENSORS_PER_PARAMETER = 4
#: What the libraries take for themselves when a model is loaded and first used.
_LIBRARY_BYTES = 35 * 10**6
#: Numbers per token of (hidden + intermediate) that one half of a layer holds while it is computed
#: backward, and what the allocator cannot use between blocks that stay.
_TRANSIENT_NUMBERS = 22
#: Logits are computed in chunks of this size; see `supervised_head`.
_HEAD_CHUNK_BYTES = 48 * 2**20
#: Kept of (N, D) in the head: the states, their gradients, and one more on the way back.
_HEAD_STATES = 3
#: Kept of (H, T, T) where attention has a soft cap, which no fused kernel knows.
_CAPPED_SCORES = 4
#: Where a container's limit is told; the first that is there counts.
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class ModelDimensions:
    """What an estimate needs to know of a base model."""

    num_layers: int
    hidden: int
    intermediate: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocabulary: int
    num_weights: int
    #: Attention has a soft cap on its scores.
    is_capped: bool = False

    @property
    def query_width(self) -> int:
        """Numbers of all query heads of a token."""
        return self.num_heads * self.head_dim

    @property
    def key_width(self) -> int:
        """Numbers of all key heads of a token, as of all value heads."""
        return self.num_kv_heads * self.head_dim

    @classmethod
    def read(cls, folder: Path) -> ModelDimensions | None:
        """Read config.json and the weights' headers; None where they do not say enough."""
        try:
            config = json.loads((folder / "config.json").read_bytes())
            config = config.get("text_config") or config
            hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
            return cls(
                num_layers=int(config["num_hidden_layers"]),
                hidden=hidden,
                intermediate=int(config["intermediate_size"]),
                num_heads=heads,
                num_kv_heads=int(config.get("num_key_value_heads") or heads),
                head_dim=int(config.get("head_dim") or hidden // heads),
                vocabulary=int(config["vocab_size"]),
                num_weights=sum(map(_count_weights, folder.glob("*.safetensors"))),
                is_capped=config.get("attn_logit_softcapping") is not None,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def count_adapter(self, spec: AdapterSpec) -> int:
        """Return the numbers of an adapter's matrices, P."""
        d, q, kv, i = self.hidden, self.query_width, self.key_width, self.intermediate
        widths = {
            "q_proj": d + q,
            "k_proj": d + kv,
            "v_proj": d + kv,
            "o_proj": q + d,
            "gate_proj": d + i,
            "up_proj": d + i,
            "down_proj": i + d,
        }
        fused = {"qkv_proj": d + q + 2 * kv, "gate_up_proj": d + 2 * i}
        chosen = spec.targets or tuple(widths)
        return (
            spec.rank
            * max(0, self.num_layers - spec.first_layer)
            * sum({**widths, **fused}.get(name, 0) for name in chosen)
        )


@dataclass(frozen=True, slots=True)
class BatchShape:
    """Rows that are computed at once."""

    num_tokens: int
    longest_row: int
    #: Positions that carry loss.
    num_supervised: int


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes by what they are for."""

    weights: int
    adapter: int
    optimizer: int
    activations: int
    head: int
    libraries: int = _LIBRARY_BYTES

    @property
    def total(self) -> int:
        """All of them: the highest point of a step."""
        return sum(getattr(self, field.name) for field in fields(self))


def estimate_memory(
    model: ModelDimensions,
    adapter: AdapterSpec,
    batch: BatchShape,
    *,
    dtype: str = "float32",
    gradient_checkpointing: bool = False,
) -> MemoryEstimate:
    """Estimate the highest point of one step of one adapter.

    Args:
        model: The base model's.
        adapter: Its shape.
        batch: What goes through at once: the token budget at most.
        dtype: Of the base model's weights.
        gradient_checkpointing: Whether activations are computed twice instead of kept.
    """
    # Activations of bf16 weights are fp32 on processors without units for bf16: the safe guess.
    item_bytes = max(4, _ITEM_BYTES[dtype])
    num_parameters = model.count_adapter(adapter)
    kept = model.num_layers * _kept_per_token(model, adapter, batch, gradient_checkpointing)
    transient = _TRANSIENT_NUMBERS * (model.hidden + model.intermediate)
    chunk = min(batch.num_supervised * model.vocabulary * item_bytes, _HEAD_CHUNK_BYTES)
    converted_head = model.vocabulary * model.hidden * 4 if dtype == "bfloat16" else 0
    states = _HEAD_STATES * batch.num_supervised * model.hidden * item_bytes
    half = _TENSORS_PER_PARAMETER // 2 * num_parameters * item_bytes
    return MemoryEstimate(
        weights=model.num_weights * _ITEM_BYTES[dtype],
        adapter=half,
        optimizer=half,
        activations=batch.num_tokens * (kept + transient) * item_bytes,
        head=chunk + states + converted_head,
    )


def fit_tokens(
    model: ModelDimensions,
    memory_bytes: int,
    *,
    dtype: str = "float32",
    gradient_checkpointing: bool = False,
) -> int:
    """Return how many tokens in rows of a usual length fit into this much memory at once."""
    usual = AdapterSpec(rank=16, alpha=32.0)
    empty, thousand = (
        estimate_memory(
            model,
            usual,
            BatchShape(num_tokens, num_tokens, num_tokens),
            dtype=dtype,
            gradient_checkpointing=gradient_checkpointing,
        ).total
        for num_tokens in (0, 1000)
    )
    return max(0, (memory_bytes - empty) * 1000 // (thousand - empty))


def machine_memory() -> int:
    """Return the bytes that this machine has, or its container may use."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in _CGROUP_LIMITS:
        try:
            text = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        # "max" where there is no limit.
        return min(total, int(text)) if text.isdigit() else total
    return total


def _kept_per_token(
    model: ModelDimensions,
    adapter: AdapterSpec,
    batch: BatchShape,
    gradient_checkpointing: bool,  # noqa: FBT001 - one caller
) -> int:
    """Return the numbers that one layer keeps of one token until its backward pass."""
    inputs = 2 * model.hidden  # of attention, and of the MLP
    if gradient_checkpointing:
        return inputs
    attention = 2 * model.query_width + 2 * model.key_width + model.num_heads
    if model.is_capped:
        attention += _CAPPED_SCORES * model.num_heads * batch.longest_row
    groups = len(adapter.targets) or 7
    return inputs + attention + 2 * model.intermediate + groups * adapter.rank


def _count_weights(file: Path) -> int:
    """Add up the numbers in a safetensors file, from its header."""
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header: Mapping[str, Mapping[str, list[int]]] = json.loads(stream.read(size))
    total = 0
    for name, entry in header.items():
        if name != "__metadata__":
            count = 1
            for length in entry["shape"]:
                count *= length
            total += count
    return total
