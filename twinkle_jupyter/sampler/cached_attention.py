"""Attention of one pass over packed tokens: each row's new ones to all that it has read.

Rows that read one token and lie side by side in a slab share a call: the heads that share a key
head stand in for the queries' length, so that keys and values are read once and in place. A row
that reads more of its prompt has a call of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor

from twinkle_jupyter.engine.row_attention import AttentionShape, KeptAttention
from twinkle_jupyter.sampler.kv_slabs import CacheRow, Slab

_NOTHING_KEPT = KeptAttention([], [])
#: Keys are read in multiples of this, so that masks of neighbouring steps have one shape.
_KEY_STEP = 16


@dataclass(frozen=True, slots=True, eq=False)
class _Writes:
    """New tokens of the rows of one slab."""

    slab: Slab
    #: (n,) places in the packed tokens; None for all as they lie.
    sources: Tensor | None
    #: (layers, 2, n) places of their keys and values, as rows of the whole slab.
    targets: Tensor


@dataclass(slots=True, eq=False)
class _Segment:
    """Neighbouring rows of one slab, each with the same number of new tokens."""

    slab: Slab
    first_row: int
    #: Tokens that each row has read when this pass is over.
    lengths: tuple[int, ...]
    num_new: int
    #: (rows x num_new,) places in the packed tokens; None for all as they lie.
    sources: Tensor | None
    masks: dict[int | None, Tensor | None] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        return len(self.lengths)

    @property
    def num_keys(self) -> int:
        longest = max(self.lengths)
        if self.num_rows == 1:
            return longest
        return min(-(-longest // _KEY_STEP) * _KEY_STEP, self.slab.capacity)

    def mask(self, window: int | None) -> Tensor | None:
        """Return (rows, 1, num_new, keys), what is added to scores; None for nothing."""
        if window is not None and window >= max(self.lengths):
            window = None
        if window not in self.masks:
            self.masks[window] = self._build_mask(window)
        return self.masks[window]

    def _build_mask(self, window: int | None) -> Tensor | None:
        device = self.slab.data.device
        if self.num_new == 1 and window is None and min(self.lengths) == self.num_keys:
            return None
        keys = torch.arange(self.num_keys, device=device)
        new = torch.arange(self.num_new, device=device) - self.num_new
        ends = torch.tensor(self.lengths, device=device)
        # The place of each new token in its row: (rows, 1, num_new, 1).
        own = (ends[:, None] + new)[:, None, :, None]
        seen = keys <= own
        if window is not None:
            seen &= keys > own - window
        # Numbers, since torch would turn truth values into them in every layer again.
        mask = torch.zeros(seen.shape, dtype=self.slab.data.dtype, device=device)
        return mask.masked_fill_(~seen, -torch.inf)


class CachedAttention:
    """Attention of one pass.

    Args:
        rows: In the order of the packed tokens; grown for what is read now.
        counts: New tokens of each.
    """

    def __init__(self, rows: Sequence[CacheRow], counts: Sequence[int]) -> None:
        starts = [0]
        for count in counts:
            starts.append(starts[-1] + count)
        parts = sorted(
            zip(rows, counts, starts, strict=False),
            key=lambda part: (id(part[0].place), part[1], part[0].index),
        )
        self._writes = _find_writes(parts, starts[-1])
        self._segments = _find_segments(parts, starts[-1])

    def layer(self, number: int) -> CachedLayer:
        """Return what the layer of this number attends with."""
        return CachedLayer(self, number)

    def write(self, number: int, k: Tensor, v: Tensor) -> None:
        """Put keys and values (T, W) of a layer where they belong."""
        for writes in self._writes:
            flat = writes.slab.data.view(-1, k.shape[1])
            for kind, new in enumerate((k, v)):
                taken = new if writes.sources is None else new.index_select(0, writes.sources)
                flat.index_copy_(0, writes.targets[number, kind], taken)

    def attend(self, number: int, q: Tensor, shape: AttentionShape) -> Tensor:
        """Map queries (T, H x E) of a layer to (T, H x E)."""
        attended = q
        for segment in self._segments:
            attend = _attend_one if segment.num_new == 1 else _attend_many
            taken = q if segment.sources is None else q.index_select(0, segment.sources)
            out = attend(taken, segment, number, shape)
            if segment.sources is None:
                return out
            if attended is q:
                attended = torch.empty_like(q)
            attended.index_copy_(0, segment.sources, out)
        return attended


@dataclass(frozen=True, slots=True, eq=False)
class CachedLayer:
    """One layer of a pass, as `engine.layer_batch` wants its attention."""

    attention: CachedAttention
    number: int

    def forward(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        shape: AttentionShape,
        *,
        keeps: bool,  # noqa: ARG002 - nothing is
    ) -> tuple[Tensor, KeptAttention]:
        """Keep k and v (T, G x E) and map q (T, H x E) to (T, H x E)."""
        self.attention.write(self.number, k, v)
        return self.attention.attend(self.number, q, shape), _NOTHING_KEPT


_Part = tuple[CacheRow, int, int]


def _find_writes(parts: Sequence[_Part], num_tokens: int) -> list[_Writes]:
    writes = []
    for slab in dict.fromkeys(row.place for row, _, _ in parts):
        num_layers, capacity = slab.data.shape[1], slab.capacity
        places: list[tuple[int, int]] = []
        for row, count, start in parts:
            if row.place is slab:
                first = row.index * num_layers * 2 * capacity + row.length
                places += [(start + new, first + new) for new in range(count)]
        places.sort()
        sources, targets = zip(*places, strict=True)
        device = slab.data.device
        offsets = torch.arange(2 * num_layers, device=device).view(num_layers, 2, 1) * capacity
        taken = None if len(sources) == num_tokens else torch.tensor(sources, device=device)
        writes.append(_Writes(slab, taken, torch.tensor(targets, device=device) + offsets))
    return writes


def _find_segments(parts: Sequence[_Part], num_tokens: int) -> list[_Segment]:
    if not parts:
        return []
    cuts = [0, *(i for i, pair in enumerate(pairwise(parts), 1) if not _touch(*pair)), len(parts)]
    segments = []
    for begin, end in pairwise(cuts):
        members = parts[begin:end]
        (row, count, _) = members[0]
        sources = [start + new for _, _, start in members for new in range(count)]
        is_all = sources == list(range(num_tokens))
        taken = None if is_all else torch.tensor(sources, device=row.place.data.device)
        lengths = tuple(member.length + count for member, _, _ in members)
        segments.append(_Segment(row.place, row.index, lengths, count, taken))
    return segments


def _touch(one: _Part, other: _Part) -> bool:
    (row, count, _), (next_row, next_count, _) = one, other
    return (
        row.slab is next_row.slab and count == next_count == 1 and next_row.index == row.index + 1
    )


def _view_keys(segment: _Segment, number: int, shape: AttentionShape) -> tuple[Tensor, Tensor]:
    """Return keys and values, (rows, G, keys, E), in place."""
    data = segment.slab.data
    row_step, layer_step, kind_step, token_step, _ = data.stride()
    size = (segment.num_rows, shape.num_kv_heads, segment.num_keys, shape.head_dim)
    steps = (row_step, shape.head_dim, token_step, 1)
    start = segment.first_row * row_step + number * layer_step
    return data.as_strided(size, steps, start), data.as_strided(size, steps, start + kind_step)


def _attend_one(q: Tensor, segment: _Segment, number: int, shape: AttentionShape) -> Tensor:
    """One new token a row."""
    k, v = _view_keys(segment, number, shape)
    folded = q.view(segment.num_rows, shape.num_kv_heads, -1, shape.head_dim)
    out = _attend(folded, k, v, segment.mask(shape.window), shape)
    return out.reshape(q.shape)


def _attend_many(q: Tensor, segment: _Segment, number: int, shape: AttentionShape) -> Tensor:
    """Some new tokens of one row."""
    k, v = _view_keys(segment, number, shape)
    heads = q.view(1, -1, shape.num_heads, shape.head_dim).transpose(1, 2)
    repeats = shape.num_heads // shape.num_kv_heads
    if repeats > 1:
        k, v = (part.repeat_interleave(repeats, dim=1) for part in (k, v))
    is_whole = segment.lengths[0] == segment.num_new
    sees_all = shape.window is None or shape.window >= segment.num_new
    if is_whole and sees_all and shape.soft_cap is None:
        out = F.scaled_dot_product_attention(heads, k, v, is_causal=True, scale=shape.scale)
    else:
        out = _attend(heads, k, v, segment.mask(shape.window), shape)
    return out.transpose(1, 2).reshape(q.shape)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, shape: AttentionShape) -> Tensor:
    if shape.soft_cap is None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=shape.scale)
    # torch's fused attention has no soft cap.
    scores = (q @ k.transpose(2, 3)) * shape.scale
    scores = shape.soft_cap * torch.tanh(scores / shape.soft_cap)
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype) @ v
