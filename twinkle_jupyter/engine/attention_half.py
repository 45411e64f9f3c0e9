"""The attention half of a decoder layer, residual included: one node of autograd."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twinkle_jupyter.engine.frozen_linear import FrozenLinear
from twinkle_jupyter.engine.half_ends import KeptInner, KeptOut, NormedLinears, ResidualLinear
from twinkle_jupyter.engine.layer_batch import LayerBatch, TrainedLayerBatch
from twinkle_jupyter.engine.norms import Norm
from twinkle_jupyter.engine.rotary import rotate
from twinkle_jupyter.engine.row_attention import AttentionShape, KeptAttention


@dataclass(frozen=True, slots=True, eq=False)
class KeptHalf:
    """Of the forward pass."""

    inner: KeptInner
    #: q and k before their own norms, and what the norms keep; empty where there are none.
    head_norms: tuple[tuple[Tensor, Tensor], ...]
    attention: KeptAttention
    #: (T, H x E)
    attended: Tensor
    out: KeptOut


@dataclass(frozen=True, slots=True, eq=False)
class AttentionHalf:
    """x + o(attention(q, k, v of norm(x))), each linear with its adapters."""

    #: q, k and v.
    inner: NormedLinears
    #: Of q and of k, head by head; empty where there are none.
    head_norms: tuple[Norm, ...]
    shape: AttentionShape
    has_positions: bool
    #: o.
    out: ResidualLinear

    @property
    def linears(self) -> tuple[FrozenLinear, ...]:
        """All of its linear layers."""
        return (*self.inner.linears, self.out.linear)

    def forward(
        self, x: Tensor, batch: LayerBatch, *, keeps: bool
    ) -> tuple[Tensor, KeptHalf | None]:
        """Map (T, D) to (T, D); also return what `backward` needs if it `keeps`."""
        outs, inner = self.inner.forward(x, batch.adapters)
        q, k, v = outs if len(outs) == 3 else self._split(outs[0])
        kept_norms: tuple[tuple[Tensor, Tensor], ...] = ()
        if self.head_norms:
            raws = (self._heads(q), self._heads(k))
            normed = [norm.forward(raw) for norm, raw in zip(self.head_norms, raws, strict=True)]
            q, k = (out.flatten(1) for out, _ in normed)
            kept_norms = tuple((raw, kept) for raw, (_, kept) in zip(raws, normed, strict=True))
        if self.has_positions:
            rotate(self._heads(q), batch.cos, batch.sin)
            rotate(self._heads(k), batch.cos, batch.sin)
        attended, attention = batch.attention.forward(q, k, v, self.shape, keeps=keeps)
        out, kept_out = self.out.forward(attended, x, batch.adapters)
        if not keeps:
            return out, None
        return out, KeptHalf(inner, kept_norms, attention, attended, kept_out)

    def backward(
        self,
        grad_out: Tensor,
        x: Tensor,
        kept: KeptHalf,
        batch: TrainedLayerBatch,
        *,
        needs_x: bool,
    ) -> Tensor | None:
        """Add to the adapters' gradients; return (T, D) of the input if it is needed."""
        grad_attended = self.out.backward(grad_out, kept.attended, kept.out, batch.adapters)
        grads = list(batch.attention.backward(grad_attended, kept.attention, self.shape))
        if self.has_positions:
            rotate(self._heads(grads[0]), batch.cos, -batch.sin)
            rotate(self._heads(grads[1]), batch.cos, -batch.sin)
        for place, (norm, (raw, kept_norm)) in enumerate(
            zip(self.head_norms, kept.head_norms, strict=True)
        ):
            grads[place] = norm.backward(self._heads(grads[place]), raw, kept_norm).flatten(1)
        grad_x = self.inner.backward(grads, x, kept.inner, batch.adapters, needs_x=needs_x)
        return None if grad_x is None else grad_x.add_(grad_out)

    def _heads(self, x: Tensor) -> Tensor:
        """See (T, H x E) as (T, H, E)."""
        return x.view(x.shape[0], -1, self.shape.head_dim)

    def _split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Copies: what follows changes q and k in place and wants them whole.
        shape = self.shape
        widths = [heads * shape.head_dim for heads in (shape.num_heads, *[shape.num_kv_heads] * 2)]
        q, k, v = (part.contiguous() for part in torch.split(qkv, widths, dim=1))
        return q, k, v
