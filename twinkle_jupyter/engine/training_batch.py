"""What a training pass puts into the router: its adapters, its rows, and how much to keep.

Layers that `fused_decoder` has taken over read it; every other wrapped linear layer is one node of
autograd here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from typing_extensions import override

from twinkle_jupyter.engine.batch_adapters import BatchAdapters, Mids
from twinkle_jupyter.engine.frozen_linear import FrozenLinear
from twinkle_jupyter.engine.layer_batch import TrainedLayerBatch
from twinkle_jupyter.engine.layer_halves import Angles, Halves, train_halves
from twinkle_jupyter.engine.lora_linear import ActiveAdapters, LoraLinear
from twinkle_jupyter.engine.row_attention import RowAttention


def _new_anchor() -> Tensor:
    return torch.empty(0, requires_grad=True)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingBatch(ActiveAdapters):
    """One micro-batch on its way through the model."""

    adapters: BatchAdapters
    attention: RowAttention
    #: Decoder layers before this one have no adapter in this batch, and no backward pass.
    first_layer: int
    #: Keep each layer's input only, and compute the rest again in the backward pass.
    checkpoints: bool
    #: What makes autograd record a node whose tensors need no gradient themselves.
    anchor: Tensor = field(default_factory=_new_anchor)

    def apply(self, linear: LoraLinear, x: Tensor) -> Tensor:
        """Map (B, T, I) to (B, T, O), adapters included."""
        out: Tensor = _AdaptedLinear.apply(  # type: ignore[no-untyped-call]
            x, self.anchor, linear, self.adapters
        )
        return out

    def run_layer(self, number: int, halves: Halves, x: Tensor, angles: Angles) -> Tensor:
        """Map (T, D) to (T, D), as `fused_decoder` asks for it."""
        batch = TrainedLayerBatch(self.adapters, self.attention, *angles)
        with torch.set_grad_enabled(torch.is_grad_enabled() and number >= self.first_layer):
            return train_halves(halves, x, batch, self.anchor, checkpoints=self.checkpoints)


class _AdaptedLinear(torch.autograd.Function):
    @staticmethod
    @override
    def forward(
        ctx: FunctionCtx, x: Tensor, anchor: Tensor, linear: LoraLinear, adapters: BatchAdapters
    ) -> Tensor:
        frozen = FrozenLinear(linear.frozen.weight, linear.frozen.bias)
        flat = x.reshape(-1, x.shape[-1])
        out = frozen.forward(flat)
        mids = adapters.project(linear.group, flat)
        adapters.add_deltas(linear.group, mids, [out])
        if any(ctx.needs_input_grad):  # type: ignore[attr-defined]
            ctx.kept = (flat, frozen, mids, linear.group, adapters)  # type: ignore[attr-defined]
        return out.view(*x.shape[:-1], out.shape[-1])

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, None, None, None]:
        kept: tuple[Tensor, FrozenLinear, Mids, int, BatchAdapters]
        kept = ctx.kept  # type: ignore[attr-defined]
        ctx.kept = None  # type: ignore[attr-defined]
        x, frozen, mids, group, adapters = kept
        grad_out = grad.reshape(-1, grad.shape[-1]).contiguous()
        needs_x: bool = ctx.needs_input_grad[0]  # type: ignore[attr-defined]
        grad_x = frozen.backward(grad_out) if needs_x else None
        adapters.add_gradients(group, x, mids, [grad_out], grad_x)
        return None if grad_x is None else grad_x.view(*grad.shape[:-1], -1), None, None, None
