"""What a profiled operation was for, told from its name and its shapes alone.

So it holds for any implementation of a step: frozen weights are known by their sizes, LoRA by being
a matmul without one, the head and its loss by the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from transformers import PretrainedConfig

HEAD = "head and loss"
ATTENTION_PROJECTIONS = "attention projections"
MLP = "MLP projections"
ATTENTION = "attention"
LORA = "LoRA matmuls"
ELEMENTWISE = "elementwise (norms, activations, rotary, sums)"
INDEXING = "embedding, gather, scatter"
COPIES = "copies, casts, cat"
ALLOCATION = "allocation, filling"
DISPATCH = "views and dispatch"
OUTSIDE = "outside of operations (Python, autograd, batch)"
OPTIMIZER = "optimizer"
KINDS = (
    ATTENTION_PROJECTIONS, MLP, LORA, ATTENTION, HEAD, ELEMENTWISE, INDEXING, COPIES, ALLOCATION,
    DISPATCH, OUTSIDE, OPTIMIZER,
)  # fmt: skip

_MATMULS = {"mm", "addmm", "addmm_", "bmm", "bmm_", "baddbmm", "baddbmm_", "_grouped_mm", "mv"}
_MATMULS |= {"dot", "addmv", "addmv_", "_addmm_activation", "_scaled_mm", "mkldnn_linear"}
_INDEXING = {"embedding", "index", "index_select", "index_add_", "index_copy_", "index_put_"}
_INDEXING |= {"gather", "scatter", "scatter_", "scatter_add_", "_index_put_impl_", "take"}
_COPIES = {"copy_", "cat", "_to_copy", "clone", "contiguous", "_foreach_copy_", "stack", "repeat"}
_ALLOCATION = {"empty", "empty_like", "empty_strided", "resize_", "new_empty", "zero_", "fill_"}
_ALLOCATION |= {"zeros", "zeros_like", "new_zeros", "ones", "full", "arange", "new_empty_strided"}
_DISPATCH = {"view", "_unsafe_view", "reshape", "_reshape_alias", "transpose", "t", "permute"}
_DISPATCH |= {"slice", "select", "narrow", "split", "split_with_sizes", "chunk", "unbind", "alias"}
_DISPATCH |= {"as_strided", "expand", "unsqueeze", "squeeze", "detach", "detach_", "flatten", "to"}
_DISPATCH |= {"unflatten", "linear", "matmul", "einsum", "result_type", "promote_types", "item"}
_DISPATCH |= {"_local_scalar_dense", "lift_fresh", "dropout", "view_as", "expand_as", "unfold"}
_BY_NAME = {
    name: kind
    for names, kind in (
        (_INDEXING, INDEXING),
        (_COPIES, COPIES),
        (_ALLOCATION, ALLOCATION),
        (_DISPATCH, DISPATCH),
    )
    for name in names
}


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """The sizes by which frozen weights are told."""

    vocabulary: int
    #: Each a pair of sizes in rising order.
    attention: frozenset[tuple[int, int]]
    mlp: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, config: PretrainedConfig) -> Self:
        text = config.get_text_config()
        hidden, wide = text.hidden_size, text.intermediate_size
        head = getattr(text, "head_dim", None) or hidden // text.num_attention_heads
        queries = head * text.num_attention_heads
        keys = head * getattr(text, "num_key_value_heads", text.num_attention_heads)
        # Alone, and fused as some models and some engines have them.
        attention = (queries, keys, 2 * keys, queries + 2 * keys)
        return cls(
            vocabulary=text.vocab_size,
            attention=frozenset(_pair(hidden, size) for size in attention),
            mlp=frozenset(_pair(hidden, size) for size in (wide, 2 * wide)),
        )


def find_kind(name: str, shapes: Iterable[Sequence[object]], sizes: ModelSizes) -> str:
    """Return the kind of an operation, `aten::` left out of its name."""
    matrices = [[size for size in shape if isinstance(size, int)] for shape in shapes if len(shape)]
    if any(sizes.vocabulary in shape for shape in matrices) and name not in _DISPATCH | _INDEXING:
        return HEAD
    if name in _MATMULS:
        return _find_matmul(matrices, sizes)
    if "attention" in name or "softmax" in name:
        return ATTENTION
    if "nll_loss" in name or "cross_entropy" in name:
        return HEAD
    return _BY_NAME.get(name, ELEMENTWISE)


def _find_matmul(matrices: Sequence[Sequence[int]], sizes: ModelSizes) -> str:
    pairs = {_pair(*shape[-2:]) for shape in matrices if len(shape) >= 2}
    if pairs & sizes.mlp:
        return MLP
    return ATTENTION_PROJECTIONS if pairs & sizes.attention else LORA


def _pair(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first <= second else (second, first)
