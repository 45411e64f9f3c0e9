"""The gated MLP half of a decoder layer, residual included: one node of autograd."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twinkle_jupyter.engine.frozen_linear import FrozenLinear
from twinkle_jupyter.engine.half_ends import KeptInner, KeptOut, NormedLinears, ResidualLinear
from twinkle_jupyter.engine.layer_batch import LayerBatch, TrainedLayerBatch


@dataclass(frozen=True, slots=True, eq=False)
class KeptMlp:
    """Of the forward pass; the activation is computed again."""

    inner: KeptInner
    gate: Tensor
    up: Tensor
    out: KeptOut


@dataclass(frozen=True, slots=True, eq=False)
class GatedMlp:
    """x + down(act(gate(norm(x))) * up(norm(x))), each linear with its adapters.

    Source: Shazeer 2020 (arXiv:2002.05202).
    """

    #: gate and up.
    inner: NormedLinears
    activation: nn.Module
    #: down.
    out: ResidualLinear

    @property
    def linears(self) -> tuple[FrozenLinear, ...]:
        """All of its linear layers."""
        return (*self.inner.linears, self.out.linear)

    def forward(
        self, x: Tensor, batch: LayerBatch, *, keeps: bool
    ) -> tuple[Tensor, KeptMlp | None]:
        """Map (T, D) to (T, D); also return what `backward` needs if it `keeps`."""
        outs, inner = self.inner.forward(x, batch.adapters)
        gate, up = outs if len(outs) == 2 else outs[0].chunk(2, dim=1)
        hidden = self.activation(gate).mul_(up)
        out, kept_out = self.out.forward(hidden, x, batch.adapters)
        return out, KeptMlp(inner, gate, up, kept_out) if keeps else None

    def backward(
        self, grad_out: Tensor, x: Tensor, kept: KeptMlp, batch: TrainedLayerBatch, *, needs_x: bool
    ) -> Tensor | None:
        """Add to the adapters' gradients; return (T, D) of the input if it is needed."""
        gate = kept.gate.detach().requires_grad_()
        with torch.enable_grad():
            activated = self.activation(gate)
        hidden = activated.detach() * kept.up
        grad_hidden = self.out.backward(grad_out, hidden, kept.out, batch.adapters)
        grad_up = torch.mul(grad_hidden, activated.detach(), out=hidden)
        (grad_gate,) = torch.autograd.grad(activated, gate, grad_hidden.mul_(kept.up))
        grads = (grad_gate, grad_up)
        grad_x = self.inner.backward(grads, x, kept.inner, batch.adapters, needs_x=needs_x)
        return None if grad_x is None else grad_x.add_(grad_out)
