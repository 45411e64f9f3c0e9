"""All answers in one pass: packed tokens through a decoder whose layers were taken over.

Answers of different adapters and versions share every frozen matmul; those of one adapter lie
together, so that its matrices are read once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.compute_dtype import choose_compute_dtype
from twinkle_jupyter.engine.frozen_linear import FrozenLinear
from twinkle_jupyter.engine.fused_decoder import FusedLayer, pack_arguments
from twinkle_jupyter.engine.injection import Injection
from twinkle_jupyter.engine.layer_batch import LayerBatch
from twinkle_jupyter.engine.layer_halves import Angles, Halves
from twinkle_jupyter.engine.lora_linear import ActiveAdapters, LoraLinear
from twinkle_jupyter.sampler.answering_adapters import AnsweringAdapters
from twinkle_jupyter.sampler.cached_attention import CachedAttention
from twinkle_jupyter.sampler.decoder import Decoder, Logits, Reading
from twinkle_jupyter.sampler.kv_slabs import CacheRow, KvShape, KvSlabs
from twinkle_jupyter.sampler.pass_adapters import Owner, PassAdapters
from twinkle_jupyter.sampler.prefix_cache import PrefixCache
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter

#: Of the memory for keys and values, what is kept of answers that are over.
_PREFIX_SHARE = 0.25


class BatchedDecoder(Decoder[CacheRow]):
    """A base model whose layers were taken over.

    Args:
        base: Its layers are `FusedLayer`s.
        injection: Its wrapped linears.
        base_groups: Site indexes of every group, as linears are numbered in the model.
        max_bytes: Of keys and values, those of answers that are over included.
    """

    def __init__(
        self,
        base: BaseModel,
        injection: Injection,
        base_groups: tuple[tuple[int, ...], ...],
        max_bytes: int,
    ) -> None:
        self._base = base
        self._router = injection.router
        self._adapters = AnsweringAdapters(
            injection.sites, base_groups, self.adapter_dtype, base.device
        )
        prefix_bytes = int(_PREFIX_SHARE * max_bytes)
        shape = read_kv_shape(base)
        assert shape is not None, "asked before"  # noqa: S101
        self._slabs = KvSlabs(shape, max_bytes - prefix_bytes, base.max_positions)
        self._prefixes = PrefixCache(prefix_bytes)

    @property
    def adapter_dtype(self) -> torch.dtype:
        """Number type in which it reads the weights of a `HeldAdapter`."""
        return choose_compute_dtype(self._base.dtype, self._base.device)

    @property
    def size_bytes(self) -> int:
        """Bytes of keys, values and stacked adapters."""
        return self._slabs.size_bytes + self._prefixes.size_bytes + self._adapters.size_bytes

    @property
    def num_rows(self) -> int:
        """Rows that are open."""
        return self._slabs.num_rows

    @property
    def bytes_per_token(self) -> int:
        """Bytes of keys and values of a token."""
        return self._slabs.shape.bytes_per_token

    @property
    def num_adapters(self) -> int:
        """Adapter versions that are answering."""
        return len(self._adapters)

    @property
    def max_length(self) -> int:
        """Tokens of the longest answer, its prompt included, that could be had by itself."""
        return self._slabs.max_length

    def open_row(self, adapter: HeldAdapter | None, prompt: Sequence[int]) -> tuple[CacheRow, int]:
        """Begin to read a prompt with what was read before."""
        # First what may find no memory: nothing is to be undone then.
        if adapter is not None:
            self._adapters.enter(adapter)
        row = CacheRow(adapter)
        known = self._prefixes.count_known(_owner(row), prompt)
        if known and self._slabs.grow(row, known):
            self._prefixes.fill(row, _owner(row), prompt)
        return row, row.length

    def grow(self, row: CacheRow, length: int) -> bool:
        """See that so many tokens fit into the row."""
        return self._slabs.grow(row, length)

    def read(self, readings: Sequence[Reading[CacheRow]]) -> list[Logits]:
        """Read on in rows that were grown for it."""
        owners = self._find_owners(readings)
        adapters = PassAdapters(tuple(owners.values()))
        # The base model's own rows last: adapters own what is before.
        ranks = {adapter: rank for rank, adapter in enumerate((*owners, None))}
        order = sorted(range(len(readings)), key=lambda index: ranks[readings[index].row.adapter])
        packed = [readings[index] for index in order]
        logits = Logits.of(self._run(packed, adapters))
        ends = accumulate(len(reading.places) for reading in packed)
        by_index = {
            index: logits.part(end - len(reading.places), end)
            for index, reading, end in zip(order, packed, ends, strict=True)
        }
        return [by_index[index] for index in range(len(readings))]

    def remember(self, row: CacheRow, tokens: Sequence[int]) -> None:
        """Keep what the row has read for prompts that begin like it."""
        if row.length:
            self._prefixes.put(row, _owner(row), tokens)

    def close_row(self, row: CacheRow) -> None:
        """Free the row."""
        self._slabs.release(row)
        if row.adapter is not None:
            self._adapters.leave(row.adapter)

    def _find_owners(
        self, readings: Sequence[Reading[CacheRow]]
    ) -> dict[HeldAdapter | None, Owner]:
        """Return each adapter's tokens; those of adapters that can share a call are neighbours."""
        counts: Counter[HeldAdapter] = Counter()
        for reading in readings:
            if reading.row.adapter is not None:
                counts[reading.row.adapter] += len(reading.tokens)
        owners: dict[HeldAdapter | None, Owner] = {}
        for adapter, num_tokens in counts.items():
            own = self._adapters.find(adapter)
            owners[adapter] = Owner(own.tables, own.slot, num_tokens)

        def key(item: tuple[object, Owner]) -> tuple[int, int, int]:
            _, owner = item
            return id(owner.tables), 0 if owner.is_gathered else owner.num_tokens, owner.slot

        return dict(sorted(owners.items(), key=key))

    def _run(self, packed: Sequence[Reading[CacheRow]], adapters: PassAdapters) -> Tensor:
        """Return (N, V) logits of all places, reading by reading."""
        tokens: list[int] = []
        positions: list[int] = []
        selected: list[int] = []
        for reading in packed:
            selected += (len(tokens) + place for place in reading.places)
            tokens += reading.tokens
            begun = reading.row.length
            positions += range(begun, begun + len(reading.tokens))
        device = self._base.device
        rows = [reading.row for reading in packed]
        attention = CachedAttention(rows, [len(reading.tokens) for reading in packed])
        arguments = pack_arguments(
            torch.tensor([tokens], device=device), torch.tensor([positions], device=device)
        )
        with (
            self._router.activate(_SamplingBatch(adapters, attention)),
            self._base.head_positions.select(torch.tensor(selected, device=device)),
        ):
            output = self._base.model(**arguments, use_cache=False)
        for reading in packed:
            reading.row.length += len(reading.tokens)
        logits: Tensor = output.logits[0]
        return logits.to("cpu", self._base.master_dtype)


@dataclass(frozen=True, slots=True, eq=False)
class _SamplingBatch(ActiveAdapters):
    """One pass on its way through the model."""

    adapters: PassAdapters
    attention: CachedAttention

    def run_layer(self, number: int, halves: Halves, x: Tensor, angles: Angles) -> Tensor:
        """Map (T, D) to (T, D), as `engine.fused_decoder` asks for it."""
        batch = LayerBatch(self.adapters, self.attention.layer(number), *angles)
        for half in halves:
            x, _ = half.forward(x, batch, keeps=False)
        return x

    def apply(self, linear: LoraLinear, x: Tensor) -> Tensor:
        """Map (B, T, I) to (B, T, O), adapters included."""
        flat = x.reshape(-1, x.shape[-1])
        out = FrozenLinear(linear.frozen.weight, linear.frozen.bias).forward(flat)
        mids = self.adapters.project(linear.group, flat)
        self.adapters.add_deltas(linear.group, mids, [out])
        return out.view(*x.shape[:-1], out.shape[-1])


def read_kv_shape(base: BaseModel) -> KvShape | None:
    """Return what a token leaves behind; None where layers differ or were not taken over."""
    modules = base.model.base_model.get_submodule("layers").children()
    layers = [module for module in modules if isinstance(module, FusedLayer)]
    if not layers:
        return None
    shapes = [layer.halves[0].shape for layer in layers]
    widths = {shape.num_kv_heads * shape.head_dim for shape in shapes}
    if len(widths) != 1:
        return None
    return KvShape(len(layers), widths.pop(), base.dtype, base.device)


def _owner(row: CacheRow) -> Hashable:
    """Return whose blocks may be shared; never the weights themselves, which it would hold."""
    return "base model" if row.adapter is None else ("version", row.adapter.number)
