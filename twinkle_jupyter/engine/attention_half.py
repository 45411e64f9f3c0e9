"""The attention half of a decoder layer, residual included: one node of autograd."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twinkle_jupyter.engine.batch_adapters import Mids
from twinkle_jupyter.engine.frozen_linear import FrozenLinear
from twinkle_jupyter.engine.layer_batch import LayerBatch
from twinkle_jupyter.engine.norms import Norm
from twinkle_jupyter.engine.rotary import rotate
from twinkle_jupyter.engine.row_attention import AttentionShape, KeptAttention


@dataclass(slots=True, eq=False)
class KeptHalf:
    """Of the forward pass; the normalised input is computed again."""

    norm: Tensor
    mids: Mids
    #: q and k before their own norms, and what the norms keep; None where there are none.
    head_norms: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None
    attention: KeptAttention
    #: (T, H x E)
    attended: Tensor
    out_mids: Mids
    out: Tensor | None
    out_norm: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class AttentionHalf:
    """x + o(attention(q, k, v of norm(x))), each linear with its adapters."""

    norm: Norm
    #: q, k and v; or one that gives all three, one after the other.
    inner: tuple[FrozenLinear, ...]
    out: FrozenLinear
    head_norms: tuple[Norm, Norm] | None
    out_norm: Norm | None
    shape: AttentionShape
    has_positions: bool
    #: Numbers of the groups of linear layers, as `BatchAdapters` counts them.
    inner_group: int
    out_group: int

    def forward(
        self, x: Tensor, batch: LayerBatch, *, keeps: bool
    ) -> tuple[Tensor, KeptHalf | None]:
        """Map (T, D) to (T, D); also return what `backward` needs if it `keeps`."""
        adapters = batch.adapters
        normed, norm = self.norm.forward(x)
        outs = [linear.forward(normed) for linear in self.inner]
        mids = adapters.project(self.inner_group, normed)
        adapters.add_deltas(self.inner_group, mids, outs)
        q, k, v = outs if len(outs) == 3 else self._split(outs[0])
        kept_norms = None
        if self.head_norms is not None:
            raw_q, raw_k = self._heads(q), self._heads(k)
            q, kept_q = self.head_norms[0].forward(raw_q)
            k, kept_k = self.head_norms[1].forward(raw_k)
            q, k = q.flatten(1), k.flatten(1)
            kept_norms = ((raw_q, kept_q), (raw_k, kept_k))
        if self.has_positions:
            rotate(self._heads(q), batch.cos, batch.sin)
            rotate(self._heads(k), batch.cos, batch.sin)
        attended, attention = batch.attention.forward(q, k, v, self.shape, keeps=keeps)
        out = self.out.forward(attended)
        out_mids = adapters.project(self.out_group, attended)
        adapters.add_deltas(self.out_group, out_mids, [out])
        raw = out_norm = None
        if self.out_norm is not None:
            raw = out
            out, out_norm = self.out_norm.forward(raw)
        out = out.add_(x)
        if not keeps:
            return out, None
        return out, KeptHalf(norm, mids, kept_norms, attention, attended, out_mids, raw, out_norm)

    def backward(
        self,
        grad_out: Tensor,
        x: Tensor,
        kept: KeptHalf,
        batch: LayerBatch,
        *,
        needs_x: bool,
    ) -> Tensor | None:
        """Add to the adapters' gradients; return (T, D) of the input if it is needed."""
        adapters = batch.adapters
        grad = grad_out
        if self.out_norm is not None and kept.out is not None and kept.out_norm is not None:
            grad = self.out_norm.backward(grad_out.clone(), kept.out, kept.out_norm)
        grad_attended = self.out.backward(grad)
        adapters.add_gradients(self.out_group, kept.attended, kept.out_mids, [grad], grad_attended)
        grads = list(batch.attention.backward(grad_attended, kept.attention, self.shape))
        if self.has_positions:
            rotate(self._heads(grads[0]), batch.cos, -batch.sin)
            rotate(self._heads(grads[1]), batch.cos, -batch.sin)
        if self.head_norms is not None and kept.head_norms is not None:
            for place in (0, 1):
                raw, kept_norm = kept.head_norms[place]
                own = self.head_norms[place].backward(self._heads(grads[place]), raw, kept_norm)
                grads[place] = own.flatten(1)
        if len(self.inner) == 1:
            grads = [torch.cat(grads, dim=1)]
        normed = self.norm.recompute(x, kept.norm)
        grad_normed = None
        if needs_x:
            grad_normed = self.inner[0].backward(grads[0])
            for linear, grad_inner in zip(self.inner[1:], grads[1:], strict=True):
                linear.add_backward(grad_inner, grad_normed)
        adapters.add_gradients(self.inner_group, normed, kept.mids, grads, grad_normed)
        if grad_normed is None:
            return None
        return self.norm.backward(grad_normed, x, kept.norm).add_(grad_out)

    def _heads(self, x: Tensor) -> Tensor:
        """See (T, H x E) as (T, H, E)."""
        return x.view(x.shape[0], -1, self.shape.head_dim)

    def _split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Copies: what follows changes q and k in place and wants them whole.
        shape = self.shape
        widths = [heads * shape.head_dim for heads in (shape.num_heads, *[shape.num_kv_heads] * 2)]
        q, k, v = (part.contiguous() for part in torch.split(qkv, widths, dim=1))
        return q, k, v
