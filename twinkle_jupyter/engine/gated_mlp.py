"""The gated MLP half of a decoder layer, residual included: one node of autograd."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twinkle_jupyter.engine.batch_adapters import Mids
from twinkle_jupyter.engine.frozen_linear import FrozenLinear
from twinkle_jupyter.engine.layer_batch import LayerBatch
from twinkle_jupyter.engine.norms import Norm


@dataclass(slots=True, eq=False)
class KeptMlp:
    """Of the forward pass; the normalised input and the activation are computed again."""

    norm: Tensor
    mids: Mids
    gate: Tensor
    up: Tensor
    down_mids: Mids
    #: (T, D) and what the norm keeps, where the architecture has a norm behind.
    out: Tensor | None
    out_norm: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class GatedMlp:
    """x + down(act(gate(norm(x))) * up(norm(x))), each linear with its adapters.

    Source: Shazeer 2020 (arXiv:2002.05202).
    """

    norm: Norm
    #: gate and up; or one that gives both, one after the other.
    inner: tuple[FrozenLinear, ...]
    down: FrozenLinear
    activation: nn.Module
    out_norm: Norm | None
    #: Numbers of the groups of linear layers, as `BatchAdapters` counts them.
    inner_group: int
    down_group: int

    def forward(
        self, x: Tensor, batch: LayerBatch, *, keeps: bool
    ) -> tuple[Tensor, KeptMlp | None]:
        """Map (T, D) to (T, D); also return what `backward` needs if it `keeps`."""
        adapters = batch.adapters
        normed, norm = self.norm.forward(x)
        outs = [linear.forward(normed) for linear in self.inner]
        mids = adapters.project(self.inner_group, normed)
        adapters.add_deltas(self.inner_group, mids, outs)
        gate, up = outs if len(outs) == 2 else outs[0].chunk(2, dim=1)
        hidden = self.activation(gate).mul_(up)
        out = self.down.forward(hidden)
        down_mids = adapters.project(self.down_group, hidden)
        adapters.add_deltas(self.down_group, down_mids, [out])
        raw = out_norm = None
        if self.out_norm is not None:
            raw = out
            out, out_norm = self.out_norm.forward(raw)
        out = out.add_(x)
        return out, KeptMlp(norm, mids, gate, up, down_mids, raw, out_norm) if keeps else None

    def backward(
        self, grad_out: Tensor, x: Tensor, kept: KeptMlp, batch: LayerBatch, *, needs_x: bool
    ) -> Tensor | None:
        """Add to the adapters' gradients; return (T, D) of the input if it is needed."""
        adapters = batch.adapters
        grad = grad_out
        if self.out_norm is not None and kept.out is not None and kept.out_norm is not None:
            grad = self.out_norm.backward(grad_out.clone(), kept.out, kept.out_norm)
        gate = kept.gate.detach().requires_grad_()
        with torch.enable_grad():
            activated = self.activation(gate)
        hidden = activated.detach() * kept.up
        grad_hidden = self.down.backward(grad)
        adapters.add_gradients(self.down_group, hidden, kept.down_mids, [grad], grad_hidden)
        grad_up = torch.mul(grad_hidden, activated.detach(), out=hidden)
        (grad_gate,) = torch.autograd.grad(activated, gate, grad_hidden.mul_(kept.up))
        grads = [grad_gate, grad_up]
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
