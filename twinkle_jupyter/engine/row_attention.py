"""Causal attention inside each row of a packed batch, and nowhere else.

Rows of like length share a call; what pads them there costs attention only, never a linear layer.
Padding is on the right, where causal attention does not look. A beginning that a row shares with
another is attended from again, but only one of the rows answers for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor

from twinkle_jupyter.engine.row_places import RowPlaces

#: A row joins longer ones if it fills at least this part of their length.
_LEAST_FILLED = 0.75


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """What an architecture asks of attention."""

    num_heads: int
    num_kv_heads: int
    head_dim: int
    #: What scores are multiplied by.
    scale: float
    #: Tokens that a token sees, itself included; None is all before it.
    window: int | None
    #: Scores are squeezed into plus or minus this; None leaves them.
    soft_cap: float | None


@dataclass(slots=True, eq=False)
class KeptAttention:
    """What the backward pass needs: autograd's own record of each call."""

    #: q, k and v of each bucket, (b, n, H, E).
    leaves: list[tuple[Tensor, Tensor, Tensor]]
    #: (b, n, H x E)
    outs: list[Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class _Bucket:
    num_rows: int
    length: int
    #: (b x n,) places of the bucket's tokens in the packed batch; a row's end is repeated where it
    #: is padded. None when the bucket is the whole batch as it lies.
    places: Tensor | None
    #: Which of these are the row's own, and which are not: shared with a row before, or padding.
    own: Tensor | None
    others: Tensor | None

    def gather(self, packed: Tensor) -> Tensor:
        """Return the bucket's part of (T, F) as (b, n, F)."""
        taken = packed if self.places is None else packed.index_select(0, self.places)
        return taken.view(self.num_rows, self.length, packed.shape[1])

    def put(self, bucket: Tensor, packed: Tensor) -> None:
        """Put what is the rows' own of (b, n, …) into its places of (T, F)."""
        assert self.places is not None, "the whole batch needs no places"  # noqa: S101
        flat = bucket.reshape(-1, packed.shape[1])
        if self.own is None:
            packed.index_copy_(0, self.places, flat)
        else:
            places = self.places.index_select(0, self.own)
            packed.index_copy_(0, places, flat.index_select(0, self.own))

    def add(self, bucket: Tensor, packed: Tensor) -> None:
        """Add (b, n, …) to its places of (T, F), which may come more than once."""
        assert self.places is not None, "the whole batch needs no places"  # noqa: S101
        packed.index_add_(0, self.places, bucket.reshape(-1, packed.shape[1]))


class RowAttention:
    """Attention for rows that lie like this.

    Args:
        rows: Together they have every token of the batch.
        device: Where the batch is.
    """

    def __init__(self, rows: Sequence[RowPlaces], device: torch.device) -> None:
        self._buckets = tuple(_fill_buckets(rows, device))
        self._masks: dict[tuple[int, int | None], Tensor] = {}

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, shape: AttentionShape, *, keeps: bool
    ) -> tuple[Tensor, KeptAttention]:
        """Attend.

        Args:
            q: (T, H x E)
            k: (T, G x E), as is `v`.
            v: See `k`.
            shape: Of the layer.
            keeps: Whether `backward` will be called.

        Returns:
            (T, H x E), and what `backward` needs.
        """
        kept = KeptAttention([], [])
        attended = torch.empty_like(q)
        for bucket in self._buckets:
            leaves = tuple(
                bucket.gather(part)
                .view(bucket.num_rows, bucket.length, heads, shape.head_dim)
                .detach()
                .requires_grad_(keeps)
                for part, heads in (
                    (q, shape.num_heads), (k, shape.num_kv_heads), (v, shape.num_kv_heads)
                )
            )  # fmt: skip
            with torch.set_grad_enabled(keeps):
                heads_first = (leaf.transpose(1, 2) for leaf in leaves)
                out = self._attend(*heads_first, shape=shape).transpose(1, 2).flatten(2)
            if keeps:
                kept.leaves.append((leaves[0], leaves[1], leaves[2]))
                kept.outs.append(out)
            if bucket.places is None:
                return out.detach().flatten(0, 1), kept
            bucket.put(out.detach(), attended)
        return attended, kept

    def backward(
        self, grad_out: Tensor, kept: KeptAttention, shape: AttentionShape
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of q (T, H x E), k and v (T, G x E)."""
        num_tokens = grad_out.shape[0]
        widths = [heads * shape.head_dim for heads in (shape.num_heads, *[shape.num_kv_heads] * 2)]
        grads: list[Tensor] = []
        for bucket, leaves, out in zip(self._buckets, kept.leaves, kept.outs, strict=True):
            grad = bucket.gather(grad_out)
            if bucket.others is not None:
                grad.view(-1, grad.shape[-1]).index_fill_(0, bucket.others, 0.0)
            found = torch.autograd.grad(out, leaves, grad)
            if bucket.places is None:
                q, k, v = (part.reshape(num_tokens, -1) for part in found)
                return q, k, v
            grads = grads or [grad_out.new_zeros((num_tokens, width)) for width in widths]
            for part, packed in zip(found, grads, strict=True):
                bucket.add(part, packed)
        return grads[0], grads[1], grads[2]

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, *, shape: AttentionShape) -> Tensor:
        """Attend in (b, H, n, E)."""
        length = q.shape[2]
        window = shape.window if shape.window is not None and shape.window < length else None
        if shape.soft_cap is not None:
            return self._attend_capped(q, k, v, shape, self._mask(length, window, q))
        return F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=None if window is None else self._mask(length, window, q),
            is_causal=window is None,
            scale=shape.scale,
            enable_gqa=shape.num_heads != shape.num_kv_heads,
        )

    def _attend_capped(
        self, q: Tensor, k: Tensor, v: Tensor, shape: AttentionShape, mask: Tensor
    ) -> Tensor:
        # torch's fused attention has no soft cap.
        assert shape.soft_cap is not None, "only layers with a cap come here"  # noqa: S101
        repeats = shape.num_heads // shape.num_kv_heads
        k, v = (part.repeat_interleave(repeats, dim=1) for part in (k, v))
        scores = (q @ k.transpose(2, 3)) * shape.scale
        scores = shape.soft_cap * torch.tanh(scores / shape.soft_cap)
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        # In fp32 whatever the dtype, as the architectures that have a cap do.
        return torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype) @ v

    def _mask(self, length: int, window: int | None, like: Tensor) -> Tensor:
        """Return (n, n): True where the row's token may look."""
        key = (length, window)
        if key not in self._masks:
            seen = torch.ones((length, length), dtype=torch.bool, device=like.device).tril_()
            self._masks[key] = seen if window is None else seen.triu_(1 - window)
        return self._masks[key]


def _fill_buckets(rows: Sequence[RowPlaces], device: torch.device) -> list[_Bucket]:
    if all(row.length == rows[0].length and not row.num_shared for row in rows):
        return [_Bucket(len(rows), rows[0].length, None, None, None)]
    # A row that has nothing of its own is answered for by the row that it is the beginning of.
    answering = [row for row in rows if row.length > row.num_shared]
    buckets: list[list[RowPlaces]] = []
    for row in sorted(answering, key=lambda row: -row.length):
        if buckets and row.length >= _LEAST_FILLED * buckets[-1][0].length:
            buckets[-1].append(row)
        else:
            buckets.append([row])
    return [_build_bucket(bucket, device) for bucket in buckets]


def _build_bucket(rows: Sequence[RowPlaces], device: torch.device) -> _Bucket:
    longest = rows[0].length
    places: list[int] = []
    own: list[int] = []
    for number, row in enumerate(rows):
        start = number * longest
        own += range(start + row.num_shared, start + row.length)
        places += row.places
        places += [row.places[-1]] * (longest - row.length)
    placed = torch.tensor(places, device=device)
    if len(own) == len(places):
        return _Bucket(len(rows), longest, placed, None, None)
    is_other = torch.ones(len(places), dtype=torch.bool)
    is_other[own] = False
    others = is_other.nonzero().flatten().to(device)
    return _Bucket(len(rows), longest, placed, torch.tensor(own, device=device), others)
